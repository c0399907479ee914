"""What is kept: the jobs table and the artifact bucket, which outlive the stack; and the key of its operation.

No key of our own for table and bucket. Both stay when the stack goes, so their key would have to stay as well, and a
stack made anew could not read what it finds. The table is encrypted with DynamoDB's key of this account, the bucket
with S3's. Secrets lie in Parameter Store under that service's key, which lets a role decrypt what it may get.

One key is the stack's: CloudWatch may not publish to a topic that is encrypted with a key of AWS's. Once it is there,
logs and dead letters have it too.
"""

from __future__ import annotations

from mangavid.aws.names import LIFE_TAG, TEMPORARY_LIFE, Names
from mangavid.aws.stack.parts import ACCOUNT, Json, att, passing, ref, retained, skipping, sub
from mangavid.config import Config

TABLE = "JobsTable"
BUCKET = "ArtifactBucket"
KEY = "OperationsKey"

#: Indexes of the table: name → (partition, order). ``mangavid.aws.jobs`` asks them.
INDEXES = {"status-index": ("status", "updated_at"), "runs-index": ("kind", "started_at")}


def resources(config: Config) -> dict[str, Json]:
    names = Names(config.aws.prefix)
    return {
        TABLE: _table(names),
        BUCKET: _bucket(names, config.aws.video_days),
        f"{BUCKET}Policy": _bucket_policy(),
        KEY: _key(names),
    }


def _table(names: Names) -> Json:
    fields = ["pk", *(field for index in INDEXES.values() for field in index)]
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "TableName": names.table,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": field, "AttributeType": "S"} for field in fields],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": name,
                    "KeySchema": [
                        {"AttributeName": partition, "KeyType": "HASH"},
                        {"AttributeName": order, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
                for name, (partition, order) in INDEXES.items()
            ],
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": True},
            "SSESpecification": {"SSEEnabled": True},
            "DeletionProtectionEnabled": True,
        },
    }
    reason = "The table outlives the stack; a key of the stack's could not (mangavid/aws/stack/storage.py)."
    return skipping(retained(table), CKV_AWS_119=reason)


def _bucket(names: Names, video_days: int) -> Json:
    account, region = "${AWS::AccountId}", "${AWS::Region}"
    bucket = {
        "Type": "AWS::S3::Bucket",
        "Properties": {
            "BucketName": sub(names.bucket(account, region)),
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "VersioningConfiguration": {"Status": "Enabled"},
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "temporary",
                        "Status": "Enabled",
                        "Prefix": "jobs/",
                        "TagFilters": [{"Key": LIFE_TAG, "Value": TEMPORARY_LIFE}],
                        "ExpirationInDays": 7,
                    },
                    # What a run was given by name; a job has its own copy of the pages once it is fetched.
                    {"Id": "inbox", "Status": "Enabled", "Prefix": "inbox/", "ExpirationInDays": 30},
                    {"Id": "jobs", "Status": "Enabled", "Prefix": "jobs/", "ExpirationInDays": video_days},
                    {
                        "Id": "replaced",
                        "Status": "Enabled",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
                        "ExpiredObjectDeleteMarker": True,
                    },
                    {
                        "Id": "broken-off",
                        "Status": "Enabled",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
                    },
                ]
            },
        },
    }
    reason = "A log of accesses would need a bucket of its own; CloudTrail can record them where they are wanted."
    return skipping(retained(bucket), CKV_AWS_18=reason)


def _bucket_policy() -> Json:
    everything = [att(BUCKET), sub("${" + BUCKET + ".Arn}/*")]

    def deny(sid: str, condition: Json) -> Json:
        return {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": everything,
            "Condition": condition,
        }

    statements = [
        deny("TlsOnly", {"Bool": {"aws:SecureTransport": "false"}}),
        deny("NoOldTls", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
    ]
    policy = {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": ref(BUCKET),
            "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
        },
    }
    return retained(policy)


def _key(names: Names) -> Json:
    uses = ["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"]
    logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
    groups = (
        f"/aws/lambda/{names.prefix}-*",
        f"/aws/vendedlogs/states/{names.prefix}*",
        *(names.log_group(worker) for worker in ("renderer", "uploader")),
    )
    statements = [
        {  # without this nobody could change or delete the key again
            "Sid": "ThisAccountAdministers",
            "Effect": "Allow",
            "Principal": {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Principal": {"Service": sub("logs.${AWS::Region}.amazonaws.com")},
            "Action": [*uses, "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"],
            "Resource": "*",
            "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": [sub(logs + group) for group in groups]}},
        },
        {
            "Sid": "AlarmsAndDeadLetters",
            "Effect": "Allow",
            "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        },
    ]
    key = {
        "Type": "AWS::KMS::Key",
        "Properties": {
            "Description": f"Logs, alarms and dead letters of {names.prefix}",
            "EnableKeyRotation": True,
            "PendingWindowInDays": 7,
            "KeyPolicy": {"Version": "2012-10-17", "Statement": statements},
        },
    }
    return passing(key)
