"""The template: what stands on AWS, how it is named, what is kept, what starts by itself, who is told."""

from __future__ import annotations

import fnmatch
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid import asl
from mangavid.aws import environment
from mangavid.aws.jobs import table_definition
from mangavid.aws.names import WRITTEN, Names
from mangavid.aws.package.groups import HANDLERS
from mangavid.aws.stack import machine, template
from mangavid.aws.stack.code import asked
from mangavid.aws.stack.functions import SIZES, told
from mangavid.aws.stack.workers import within
from mangavid.aws.userdata import user_data
from mangavid.cli.app import main
from mangavid.config import Aws, Config, Local, Publisher, Source, Video
from mangavid.errors import ConfigError
from mangavid.resources import bundled
from tests.stacks import ACCOUNT, CODE, REGION, SHA256, filled, made, of_type, properties, texts

Json = dict[str, Any]
TASKS = {name: state for name, state in asl.local_definition()["States"].items() if state["Type"] == "Task"}


@pytest.fixture(scope="module")
def stack() -> Json:
    return made()


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder without settings, and an environment without credentials or settings."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MANGAVID_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_same_settings_and_code_give_the_same_text() -> None:
    first, second = template.text(made()), template.text(made())
    assert first == second
    assert first.isascii()
    assert json.loads(first) == made()


def test_new_code_of_one_function_changes_its_key_and_nothing_else() -> None:
    changed = {**CODE.functions, "fetcher": "code/fetcher-new.zip"}
    config = Config(aws=Aws(vpc="vpc-0123abcd", subnets="subnet-0123abcd"))
    before = template.text(template.make(config, CODE)).splitlines()
    after = template.text(template.make(config, type(CODE)(**{**_fields(CODE), "functions": changed}))).splitlines()
    different = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert len(different) == 1
    assert "code/fetcher-new.zip" in different[0][1]


def _fields(code: Any) -> Json:
    return {name: getattr(code, name) for name in code.__struct_fields__}


@pytest.mark.parametrize("prefix", ["other-channel", "my-manga-pipeline", "manga-pipeline-2"])
def test_with_another_prefix_nothing_keeps_the_old_name(prefix: str) -> None:
    text = template.text(made(prefix=prefix))
    assert prefix in text
    assert WRITTEN not in text.replace(prefix, "")


@settings(max_examples=20, deadline=None)
@given(st.from_regex(r"[a-z](?:[a-z0-9-]{0,22}[a-z0-9])", fullmatch=True))
def test_every_prefix_that_is_let_through_makes_names_that_aws_takes(prefix: str) -> None:
    names = Names(prefix)
    stack = made(prefix=prefix)
    assert stack["Resources"].keys() == made()["Resources"].keys()
    bucket = filled(properties(stack, "ArtifactBucket")["BucketName"])
    assert bucket == names.bucket(ACCOUNT, REGION)
    assert len(names.bucket(ACCOUNT, "ap-southeast-1")) <= 63
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]+[a-z0-9]", bucket)
    for role in of_type(stack, "AWS::IAM::Role").values():
        assert filled(role["RoleName"]).startswith(f"{prefix}-")
        assert len(filled(role["RoleName"]).replace(REGION, "ap-southeast-1")) <= 64
    for function in of_type(stack, "AWS::Lambda::Function").values():
        assert len(function["FunctionName"]) <= 64


def test_the_names_are_those_of_the_pages(stack: Json) -> None:
    names = {function["FunctionName"] for function in of_type(stack, "AWS::Lambda::Function").values()}
    assert names == {f"manga-pipeline-{name}" for name in HANDLERS}
    assert properties(stack, "StateMachine")["StateMachineName"] == "manga-pipeline"
    assert properties(stack, "JobsTable")["TableName"] == "manga-pipeline-jobs"


def test_it_has_no_transform_and_asks_for_nothing_that_the_settings_say(stack: Json) -> None:
    assert stack.keys() == {"AWSTemplateFormatVersion", "Description", "Resources", "Outputs"}
    assert not any("{{resolve:" in text for text in texts(stack))


def test_no_secret_and_no_way_to_put_one_in_is_anywhere(stack: Json) -> None:
    everything = template.make(Config(), asked())
    words = re.compile(r"SecureString|NoEcho|api[_-]?key|refresh_token|password|AKIA", re.IGNORECASE)
    # Roles name the parameters that they may read.
    names = re.compile(r":parameter/[a-z0-9-]+/(openai|speech)-api-key$")
    found = [text for text in (*texts(stack), *texts(everything)) if words.search(text)]
    assert not [text for text in found if not names.search(text)]


def test_what_commands_ask_the_stack_for_is_among_its_outputs(stack: Json) -> None:
    assert {"StateMachineArn", "Table", "Bucket", "RendererTemplate", "UploaderTemplate", "Region"} <= set(
        stack["Outputs"]
    )


# --- the state machine ----------------------------------------------------------------------------------------------


def hand_recipe(prefix: str) -> str:
    """What two ``sed`` commands make of the file, and a third where a channel has a prefix of its own."""
    text = bundled(asl.FILE).read_text(encoding="utf-8")
    for before, after in (("${AWS::Region}", REGION), ("${AWS::AccountId}", ACCOUNT), (WRITTEN, prefix)):
        text = text.replace(before, after)
    return text


@pytest.mark.parametrize("prefix", [WRITTEN, "other-channel"])
def test_the_definition_is_the_file_as_the_recipe_by_hand_fills_it_in(prefix: str) -> None:
    inside = filled(properties(made(prefix=prefix), "StateMachine")["DefinitionString"])
    assert inside == hand_recipe(prefix)
    assert json.loads(inside)["StartAt"] == "CheckQuota"


def test_renaming_leaves_the_placeholders_and_the_file_with_its_own_prefix_as_they_are() -> None:
    assert machine.renamed(WRITTEN) == asl.source()
    other = machine.renamed("other-channel")
    assert WRITTEN not in other
    assert other.count("${AWS::Region}") == asl.source().count("${AWS::Region}")
    assert other.replace("other-channel", WRITTEN) == asl.source()


def test_a_prefix_that_holds_the_old_one_is_put_in_once() -> None:
    assert "function:my-manga-pipeline-fetcher" in machine.renamed("my-manga-pipeline")
    assert "my-my-" not in machine.renamed("my-manga-pipeline")


def test_every_function_of_the_state_machine_is_there_and_ends_before_its_state_does(stack: Json) -> None:
    by_name = {one["FunctionName"]: one for one in of_type(stack, "AWS::Lambda::Function").values()}
    for name, state in TASKS.items():
        called = state["Parameters"]["FunctionName"].rpartition(":")[2]
        assert by_name[called]["Timeout"] < state["TimeoutSeconds"], name
    assert len(by_name) == len(TASKS) + 1  # the reaper serves no state


def test_the_state_machine_is_logged_without_what_it_works_on_and_traced(stack: Json) -> None:
    logged = properties(stack, "StateMachine")["LoggingConfiguration"]
    assert (logged["Level"], logged["IncludeExecutionData"]) == ("ALL", False)
    assert properties(stack, "StateMachine")["TracingConfiguration"] == {"Enabled": True}


# --- functions ------------------------------------------------------------------------------------------------------


def test_every_function_runs_its_handler_in_its_own_role_with_logs_and_traces(stack: Json) -> None:
    assert SIZES.keys() == HANDLERS.keys()
    for name, function in of_type(stack, "AWS::Lambda::Function").items():
        short = function["FunctionName"].removeprefix("manga-pipeline-")
        assert function["Handler"] == HANDLERS[short]
        assert function["Code"] == {"S3Bucket": "some-code", "S3Key": CODE.functions[short]}
        assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        base = name.removesuffix("Function")
        assert function["Role"] == {"Fn::GetAtt": [f"{base}Role", "Arn"]}
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": f"{base}Logs"}
        assert properties(stack, f"{base}Logs")["LogGroupName"] == f"/aws/lambda/{function['FunctionName']}"
        assert "VpcConfig" not in function


def test_every_handler_is_in_the_folder_that_lambda_looks_in(stack: Json) -> None:
    for function in of_type(stack, "AWS::Lambda::Function").values():
        module, _, name = function["Handler"].rpartition(".")
        file = bundled("lambdas").parent / (module.replace(".", "/") + ".py")
        assert re.search(rf"^(def |async def )?{name}\b", file.read_text(encoding="utf-8"), re.MULTILINE), file


def test_a_function_can_read_what_it_is_told(stack: Json) -> None:
    for function in of_type(stack, "AWS::Lambda::Function").values():
        known = environment.read(filled(function["Environment"]["Variables"]))
        assert known.config == Config()
        assert (known.table, known.bucket) == ("<JobsTable>", "<ArtifactBucket>")
        assert known.state_machine == f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:manga-pipeline"
        worker = environment.LAUNCHING.get(function["FunctionName"].removeprefix("manga-pipeline-"))
        expected = f"<{worker.capitalize()}Template>" if worker else ""
        assert known.launch_template == expected
        assert known.subnets == (("subnet-0123abcd", "subnet-4567cdef") if worker else ())
        assert bool(known.launch_version) == bool(worker)


def test_settings_that_are_more_than_lambda_takes_are_refused_by_us() -> None:
    with pytest.raises(ConfigError, match="more than a function can be given"):
        made(renderer_types=" ".join(f"c{n}g.2xlarge" for n in range(400)))


def test_what_is_told_changes_only_with_what_is_worked_by() -> None:
    before = of_type(made(), "AWS::Lambda::Function")
    others = {"alarm_email": "me@example.org", "schedule": "", "log_days": 7, "profile": "mine", "region": REGION}
    same = made(**others)
    assert of_type(same, "AWS::Lambda::Function") == before
    assert of_type(same, "AWS::EC2::LaunchTemplate") == of_type(made(), "AWS::EC2::LaunchTemplate")
    assert of_type(made(on_demand_fallback=True), "AWS::Lambda::Function") != before


def test_settings_of_this_machine_stay_here_and_one_that_can_not_is_refused() -> None:
    source, publisher = Source(library="/my/manga", direction="ltr"), Publisher(folder="/my/videos")
    assert told(Config(source=source, publisher=publisher, local=Local(home="/x"))) == '{"source":{"direction":"ltr"}}'
    with pytest.raises(ConfigError, match=r"video\.music: /my/song\.mp3 is a file of this machine"):
        told(Config(video=Video(music="/my/song.mp3")))


def test_functions_are_reserved_where_the_setting_says(stack: Json) -> None:
    assert not any("ReservedConcurrentExecutions" in one for one in of_type(stack, "AWS::Lambda::Function").values())
    reserved = of_type(made(reserved_concurrency=True), "AWS::Lambda::Function")
    assert {one["ReservedConcurrentExecutions"] for one in reserved.values()} == {1}


# --- what is kept ---------------------------------------------------------------------------------------------------


def test_the_table_is_the_one_that_the_adapter_uses(stack: Json) -> None:
    table = properties(stack, "JobsTable")
    assert {key: table[key] for key in table_definition("manga-pipeline-jobs")} == table_definition(
        "manga-pipeline-jobs"
    )
    assert table["DeletionProtectionEnabled"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}


def test_table_and_bucket_outlive_the_stack_and_their_own_replacement(stack: Json) -> None:
    for name in ("JobsTable", "ArtifactBucket", "ArtifactBucketPolicy"):
        resource = stack["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    kept = {name for name, one in stack["Resources"].items() if one.get("DeletionPolicy") == "Retain"}
    assert kept == {"JobsTable", "ArtifactBucket", "ArtifactBucketPolicy"}


def test_the_bucket_is_private_versioned_and_speaks_tls_only(stack: Json) -> None:
    bucket = properties(stack, "ArtifactBucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    denied = properties(stack, "ArtifactBucketPolicy")["PolicyDocument"]["Statement"]
    assert {one["Effect"] for one in denied} == {"Deny"}
    assert [one["Condition"] for one in denied] == [
        {"Bool": {"aws:SecureTransport": "false"}},
        {"NumericLessThan": {"s3:TlsVersion": "1.2"}},
    ]
    for one in denied:
        assert filled(one["Resource"]) == ["<ArtifactBucket.Arn>", "<ArtifactBucket.Arn>/*"]


def test_what_is_temporary_old_or_broken_off_is_deleted_in_time() -> None:
    rules = properties(made(video_days=90), "ArtifactBucket")["LifecycleConfiguration"]["Rules"]
    by_id = {rule["Id"]: rule for rule in rules}
    assert by_id["temporary"]["TagFilters"] == [{"Key": "mangavid:life", "Value": "temporary"}]
    assert by_id["temporary"]["ExpirationInDays"] == 7
    assert (by_id["jobs"]["Prefix"], by_id["jobs"]["ExpirationInDays"]) == ("jobs/", 90)
    assert by_id["replaced"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 7}
    assert by_id["broken-off"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    assert {rule["Status"] for rule in rules} == {"Enabled"}


def test_logs_are_kept_as_long_as_the_setting_says() -> None:
    groups = of_type(made(log_days=90), "AWS::Logs::LogGroup")
    assert len(groups) == len(HANDLERS) + 3
    assert {group["RetentionInDays"] for group in groups.values()} == {90}
    assert all(group["KmsKeyId"] for group in groups.values())


def test_the_key_serves_the_log_groups_of_this_channel_and_no_other(stack: Json) -> None:
    (served,) = [
        one["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
        for one in filled(properties(stack, "OperationsKey")["KeyPolicy"]["Statement"])
        if one["Sid"] == "Logs"
    ]
    groups = {group["LogGroupName"] for group in of_type(stack, "AWS::Logs::LogGroup").values()}
    assert {"/manga-pipeline/renderer", "/manga-pipeline/uploader"} <= groups

    def covered(group: str) -> bool:
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
        return any(fnmatch.fnmatchcase(arn, pattern) for pattern in served)

    assert all(covered(group) for group in groups)
    assert not any(covered(group) for group in ("/manga/renderer", "/manga-pipeline-2/renderer", "/aws/lambda/x"))


# --- machines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("worker", ["renderer", "uploader"])
def test_a_machine_is_closed_encrypted_and_ends_with_its_work(stack: Json, worker: str) -> None:
    launched = properties(stack, f"{worker.capitalize()}Template")["LaunchTemplateData"]
    options = launched["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    assert launched["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert "KeyName" not in launched
    for disk in launched["BlockDeviceMappings"]:
        ebs = disk["Ebs"]
        assert (ebs["VolumeType"], ebs["Encrypted"], ebs["DeleteOnTermination"]) == ("gp3", True, True)
    for tagged in launched["TagSpecifications"]:
        tags = {tag["Key"]: tag["Value"] for tag in tagged["Tags"]}
        assert (tags["mangavid:role"], tags["mangavid:prefix"]) == (worker, "manga-pipeline")
    assert filled(launched["IamInstanceProfile"]) == {"Arn": f"<{worker.capitalize()}Profile.Arn>"}
    assert filled(launched["SecurityGroupIds"]) == ["<WorkerSecurityGroup.GroupId>"]


def test_nothing_comes_in_and_only_https_goes_out(stack: Json) -> None:
    group = properties(stack, "WorkerSecurityGroup")
    assert group["SecurityGroupIngress"] == []
    (out,) = group["SecurityGroupEgress"]
    assert (out["IpProtocol"], out["FromPort"], out["ToPort"]) == ("tcp", 443, 443)
    assert group["VpcId"] == "vpc-0123abcd"


@pytest.mark.parametrize("worker", ["renderer", "uploader"])
def test_user_data_comes_out_of_cloudformation_as_the_script_with_its_head(stack: Json, worker: str) -> None:
    launched = properties(stack, f"{worker.capitalize()}Template")["LaunchTemplateData"]
    text = filled(launched["UserData"])
    variables = {
        "MANGAVID_TABLE": "<JobsTable>",
        "MANGAVID_BUCKET": "<ArtifactBucket>",
        "MANGAVID_SETTINGS": "{}",
    }
    assert text == user_data(
        {
            "region": REGION,
            "bucket": "some-code",
            "key": CODE.bundle,
            "sha256": SHA256,
            "worker": worker,
            "environment": variables,
        }
    )
    assert len(text.encode()) <= 6 * 1024


def test_a_value_that_looks_like_a_reference_comes_out_of_sub_as_it_is() -> None:
    assert filled({"Fn::Sub": within("a ${thing} and $more")}) == "a ${thing} and $more"
    assert filled({"Fn::Sub": within({"Ref": "AWS::Region"})}) == REGION


def test_the_image_is_looked_up_when_a_machine_starts_unless_it_is_named(stack: Json) -> None:
    assert properties(stack, "RendererTemplate")["LaunchTemplateData"]["ImageId"] == f"resolve:ssm:{Aws().image}"
    named = properties(made(image="ami-0123abcd"), "RendererTemplate")
    assert named["LaunchTemplateData"]["ImageId"] == "ami-0123abcd"


def test_there_are_six_pools_or_more_for_each_machine() -> None:
    for types in (Aws().renderer_types, Aws().uploader_types):
        assert len(set(types.split())) >= 6


def test_a_vpc_without_subnets_is_refused() -> None:
    with pytest.raises(ConfigError, match="belong together"):
        made(subnets="")
    with pytest.raises(ConfigError, match="belong together"):
        made(vpc="")


# --- what starts by itself ------------------------------------------------------------------------------------------


def test_a_run_starts_by_the_clock_of_the_channel_under_a_legal_name() -> None:
    schedule = properties(made(schedule="cron(30 6 * * ? *)", time_zone="Asia/Tokyo"), "Schedule")
    assert schedule["ScheduleExpression"] == "cron(30 6 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Asia/Tokyo"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = filled(schedule["Target"])
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600
    assert target["DeadLetterConfig"] == {"Arn": "<DeadLetters.Arn>"}
    assert target["Arn"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    start = json.loads(target["Input"].replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3"))
    assert start["StateMachineArn"] == "<StateMachine>"
    assert start["Input"] == "{}"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", start["Name"])


def test_without_a_schedule_nothing_of_it_is_made() -> None:
    without = made(schedule="")["Resources"]
    assert not [name for name in without if name.startswith("Schedule")]
    assert "SweepRule" in without


def test_a_time_zone_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus is no time zone"):
        made(time_zone="Mars/Olympus")
    with pytest.raises(ConfigError, match="is no time zone"):
        made(time_zone="/etc/passwd")


def test_the_reaper_comes_every_quarter_of_an_hour_and_when_something_ends_badly(stack: Json) -> None:
    rules = of_type(stack, "AWS::Events::Rule")
    assert rules["SweepRule"]["ScheduleExpression"] == "rate(15 minutes)"
    ended = filled(rules["ExecutionEndedRule"]["EventPattern"])
    assert ended["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    assert ended["detail"]["stateMachineArn"] == [f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:manga-pipeline"]
    assert rules["SpotWarningRule"]["EventPattern"]["detail-type"] == ["EC2 Spot Instance Interruption Warning"]
    permissions = of_type(stack, "AWS::Lambda::Permission")
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        assert filled(target["Arn"]) == "<ReaperFunction.Arn>"
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] <= 3600
        assert filled(target["DeadLetterConfig"]["Arn"]) == "<DeadLetters.Arn>"
        allowed = permissions[name.removesuffix("Rule") + "Permission"]
        assert filled(allowed["SourceArn"]) == f"<{name}.Arn>"
        assert filled(allowed["SourceAccount"]) == ACCOUNT
    assert filled(properties(stack, "ReaperFunction")["DeadLetterConfig"]) == {"TargetArn": "<DeadLetters.Arn>"}


# --- who is told ----------------------------------------------------------------------------------------------------


def test_every_alarm_is_told(stack: Json) -> None:
    alarms = of_type(stack, "AWS::CloudWatch::Alarm")
    metrics = {alarm["MetricName"] for alarm in alarms.values()}
    assert {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled", "ExecutionsSucceeded"} <= metrics
    assert "ApproximateNumberOfMessagesVisible" in metrics
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]


def test_26_hours_without_a_success_are_an_alarm_also_where_nothing_ran(stack: Json) -> None:
    quiet = properties(stack, "QuietAlarm")
    assert quiet["Period"] * quiet["EvaluationPeriods"] == 26 * 3600
    assert (quiet["ComparisonOperator"], quiet["Threshold"]) == ("LessThanThreshold", 1)
    assert quiet["TreatMissingData"] == "breaching"


def test_mail_and_budget_are_there_where_the_settings_name_them(stack: Json) -> None:
    assert not of_type(stack, "AWS::SNS::Subscription")
    assert not of_type(stack, "AWS::Budgets::Budget")
    told = made(alarm_email="me@example.org", monthly_budget=20)
    assert properties(told, "AlarmEmail")["Endpoint"] == "me@example.org"
    budget = properties(told, "Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 20, "Unit": "USD"}
    assert {one["Subscribers"][0]["Address"] for one in budget["NotificationsWithSubscribers"]} == {"me@example.org"}
    with pytest.raises(ConfigError, match="is told to nobody"):
        made(monthly_budget=20)


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_template_is_printed_without_credentials(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template"]) == 0
    out, err = capsys.readouterr()
    printed = json.loads(out)
    assert printed == template.make(Config(), asked())
    assert f"{len(printed['Resources'])} resources" in err
    assert main(["template", "--json"]) == 0
    assert capsys.readouterr() == (out, "")


def test_whoever_deploys_it_by_hand_is_asked_for_what_only_they_know() -> None:
    parameters = template.make(Config(), asked())["Parameters"]
    assert all(one["Description"] for one in parameters.values())
    assert parameters.keys() == {
        "CodeBucket",
        "ControlPackage",
        "FetcherPackage",
        "ScriptgenPackage",
        "TtsgenPackage",
        "WorkerPackage",
        "WorkerPackageSha256",
        "Vpc",
        "Subnets",
    }
    assert not any("SSM" in one["Type"] for one in parameters.values())


def test_the_definition_is_printed_as_it_is_in_the_template(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["template", "--asl"]) == 0
    assert capsys.readouterr().out == asl.source()
    monkeypatch.setenv("MANGAVID_AWS_PREFIX", "other-channel")
    monkeypatch.setenv("MANGAVID_AWS_REGION", REGION)
    assert main(["template", "--asl", "--account", ACCOUNT]) == 0
    printed = capsys.readouterr().out
    assert printed == hand_recipe("other-channel")
    assert printed == filled(properties(made(prefix="other-channel"), "StateMachine")["DefinitionString"])


def test_an_account_without_a_region_is_a_mistake(nowhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["template", "--asl", "--account", ACCOUNT]) == 2
    assert "aws.region" in capsys.readouterr().err
