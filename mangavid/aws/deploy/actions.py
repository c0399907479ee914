"""What who deploys must be allowed to do, and on what: the table that ``preflight`` has simulated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mangavid.aws.names import Names
from mangavid.aws.stack.launching import listed
from mangavid.aws.stack.parts import Json
from mangavid.config import Aws

#: What CloudFormation calls in the name of who deploys, by the type of resource: to make it, change it, and take it
#: back where a deploy fails. After the handlers of AWS's resource schemas, less what our resources don't set. What
#: outlives the stack is not deleted. The last three are no types: what a deploy calls itself, what it does to the
#: objects of the bucket for code, and how it looks up the image where a parameter names it.
ACTIONS: Final = {
    "AWS::Budgets::Budget": "budgets:ModifyBudget budgets:ViewBudget",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm cloudwatch:DescribeAlarms cloudwatch:DeleteAlarms",
    "AWS::DynamoDB::Table": "dynamodb:CreateTable dynamodb:DescribeTable dynamodb:UpdateTable"
    " dynamodb:UpdateTimeToLive dynamodb:DescribeTimeToLive dynamodb:UpdateContinuousBackups"
    " dynamodb:DescribeContinuousBackups",
    "AWS::EC2::LaunchTemplate": "ec2:CreateLaunchTemplate ec2:CreateLaunchTemplateVersion"
    " ec2:DescribeLaunchTemplates ec2:DescribeLaunchTemplateVersions ec2:DeleteLaunchTemplate",
    "AWS::EC2::SecurityGroup": "ec2:CreateSecurityGroup ec2:DescribeSecurityGroups ec2:AuthorizeSecurityGroupEgress"
    " ec2:RevokeSecurityGroupEgress ec2:DeleteSecurityGroup",
    "AWS::Events::Rule": "events:PutRule events:DescribeRule events:PutTargets events:ListTargetsByRule"
    " events:RemoveTargets events:DeleteRule",
    "AWS::IAM::InstanceProfile": "iam:CreateInstanceProfile iam:GetInstanceProfile iam:AddRoleToInstanceProfile"
    " iam:RemoveRoleFromInstanceProfile iam:DeleteInstanceProfile iam:PassRole",
    "AWS::IAM::Role": "iam:CreateRole iam:GetRole iam:PutRolePolicy iam:GetRolePolicy iam:ListRolePolicies"
    " iam:ListAttachedRolePolicies iam:UpdateAssumeRolePolicy iam:DeleteRolePolicy iam:DeleteRole",
    "AWS::KMS::Key": "kms:CreateKey kms:PutKeyPolicy kms:GetKeyPolicy kms:EnableKeyRotation kms:GetKeyRotationStatus"
    " kms:DescribeKey kms:ScheduleKeyDeletion",
    "AWS::Lambda::Function": "lambda:CreateFunction lambda:GetFunction lambda:UpdateFunctionCode"
    " lambda:UpdateFunctionConfiguration lambda:PutFunctionConcurrency lambda:DeleteFunctionConcurrency"
    " lambda:TagResource lambda:DeleteFunction iam:PassRole",
    "AWS::Lambda::Permission": "lambda:AddPermission lambda:GetPolicy lambda:RemovePermission",
    "AWS::Logs::LogGroup": "logs:CreateLogGroup logs:DescribeLogGroups logs:PutRetentionPolicy logs:AssociateKmsKey"
    " logs:DeleteLogGroup",
    "AWS::S3::Bucket": "s3:CreateBucket s3:PutBucketPublicAccessBlock s3:PutBucketOwnershipControls"
    " s3:PutEncryptionConfiguration s3:PutBucketVersioning s3:PutLifecycleConfiguration",
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy s3:GetBucketPolicy",
    "AWS::SNS::Subscription": "sns:Subscribe sns:GetSubscriptionAttributes sns:Unsubscribe",
    "AWS::SNS::Topic": "sns:CreateTopic sns:GetTopicAttributes sns:SetTopicAttributes sns:DeleteTopic",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
    "AWS::SQS::Queue": "sqs:CreateQueue sqs:GetQueueAttributes sqs:SetQueueAttributes sqs:DeleteQueue",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::Scheduler::Schedule": "scheduler:CreateSchedule scheduler:GetSchedule scheduler:UpdateSchedule"
    " scheduler:DeleteSchedule iam:PassRole",
    "AWS::Scheduler::ScheduleGroup": "scheduler:CreateScheduleGroup scheduler:GetScheduleGroup"
    " scheduler:DeleteScheduleGroup",
    "AWS::StepFunctions::StateMachine": "states:CreateStateMachine states:DescribeStateMachine"
    " states:UpdateStateMachine states:TagResource states:DeleteStateMachine iam:PassRole",
    "deploy": "cloudformation:CreateChangeSet cloudformation:DescribeChangeSet cloudformation:ExecuteChangeSet"
    " cloudformation:DeleteChangeSet cloudformation:ListChangeSets cloudformation:DescribeStacks"
    " cloudformation:DescribeStackEvents cloudformation:DescribeEvents cloudformation:GetTemplate"
    " cloudformation:UpdateTerminationProtection cloudformation:ContinueUpdateRollback cloudformation:DeleteStack"
    " ec2:DescribeVpcs ec2:DescribeSubnets ec2:DescribeImages",
    "code": "s3:ListBucket s3:PutObject s3:GetObject s3:AbortMultipartUpload",
    "image": "ssm:GetParameter",
}

#: What an action is on, as an ARN from its service on: by the first that the action begins with. A policy that allows
#: no more than such names is enough. Ids that AWS has yet to make are made up.
ON: Final = {
    "budgets:": "budgets::{account}:budget/{prefix}",
    "cloudformation:": "cloudformation:{region}:{account}:stack/{prefix}/01234567-89ab-cdef-0123-456789abcdef",
    "cloudwatch:": "cloudwatch:{region}:{account}:alarm:{prefix}-failed",
    "dynamodb:": "dynamodb:{region}:{account}:table/{prefix}-jobs",
    "ec2:AuthorizeSecurityGroup": "ec2:{region}:{account}:security-group/sg-01234567890abcdef",
    "ec2:CreateLaunchTemplate": "ec2:{region}:{account}:launch-template/lt-01234567890abcdef",
    "ec2:CreateSecurityGroup": "ec2:{region}:{account}:security-group/sg-01234567890abcdef",
    "ec2:DeleteLaunchTemplate": "ec2:{region}:{account}:launch-template/lt-01234567890abcdef",
    "ec2:DeleteSecurityGroup": "ec2:{region}:{account}:security-group/sg-01234567890abcdef",
    "ec2:RevokeSecurityGroup": "ec2:{region}:{account}:security-group/sg-01234567890abcdef",
    "events:": "events:{region}:{account}:rule/{prefix}-sweep",
    "iam:AddRoleToInstanceProfile": "iam::{account}:instance-profile/{prefix}-renderer-{region}",
    "iam:CreateInstanceProfile": "iam::{account}:instance-profile/{prefix}-renderer-{region}",
    "iam:DeleteInstanceProfile": "iam::{account}:instance-profile/{prefix}-renderer-{region}",
    "iam:GetInstanceProfile": "iam::{account}:instance-profile/{prefix}-renderer-{region}",
    "iam:RemoveRoleFromInstanceProfile": "iam::{account}:instance-profile/{prefix}-renderer-{region}",
    "iam:": "iam::{account}:role/{prefix}-fetcher-{region}",
    "kms:CreateKey": "",
    "kms:": "kms:{region}:{account}:key/01234567-89ab-cdef-0123-456789abcdef",
    "lambda:": "lambda:{region}:{account}:function:{prefix}-fetcher",
    "logs:": "logs:{region}:{account}:log-group:/aws/lambda/{prefix}-fetcher:log-stream:",
    "s3:AbortMultipartUpload": "s3:::{code}/code/x.zip",
    "s3:GetObject": "s3:::{code}/code/x.zip",
    "s3:ListBucket": "s3:::{code}",
    "s3:PutObject": "s3:::{code}/code/x.zip",
    "s3:": "s3:::{bucket}",
    "scheduler:CreateScheduleGroup": "scheduler:{region}:{account}:schedule-group/{prefix}",
    "scheduler:DeleteScheduleGroup": "scheduler:{region}:{account}:schedule-group/{prefix}",
    "scheduler:GetScheduleGroup": "scheduler:{region}:{account}:schedule-group/{prefix}",
    "scheduler:": "scheduler:{region}:{account}:schedule/{prefix}/{prefix}-run",
    "sns:": "sns:{region}:{account}:{prefix}-alarms",
    "sqs:": "sqs:{region}:{account}:{prefix}-dead-letters",
    "ssm:": "ssm:{region}:{owner}:parameter{image}",
    "states:": "states:{region}:{account}:stateMachine:{prefix}",
}


def needed(aws: Aws, template: Json | None = None) -> list[str]:
    """The actions that a deploy takes: of this template, else of any template of these settings."""
    if template is None:
        kinds = set(ACTIONS) - {"code"} - (set() if aws.monthly_budget else {"AWS::Budgets::Budget"})
    else:
        kinds = {"deploy", "code", "image", *(str(one["Type"]) for one in template["Resources"].values())}
    if aws.image.startswith("ami-"):
        kinds -= {"image"}
    return sorted({action for kind in kinds for action in listed(ACTIONS.get(kind, ""))})


def resources(aws: Aws, partition: str, account: str, region: str) -> Callable[[str], str]:
    """What an action is on: its ARN, or nothing where it is on no resource."""
    names = {
        "prefix": aws.prefix,
        "account": account,
        "region": region,
        "bucket": Names(aws.prefix).bucket(account, region),
        "code": Names(aws.prefix).code_bucket(account, region),
        "image": aws.image,
        "owner": "" if aws.image.startswith("/aws/service/") else account,
    }

    def on(action: str) -> str:
        named = next((named for start, named in ON.items() if action.startswith(start)), "")
        return f"arn:{partition}:{named.format(**names)}" if named else ""

    return on
