"""Pipelines end to end, with real pushes and builds, through the AWS API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.localcloud.codepipeline.world import World
    from tests.localcloud.fakes import FakeAlarms


class TestFlow:
    def test_artifacts_and_variables_pass_between_actions(self, world: World) -> None:
        world.create(
            world.stage(
                "Build",
                world.build(
                    "Make",
                    "cp message made",
                    "SIZE=$(wc -c < message)",
                    files="made",
                    exported=("SIZE",),
                    namespace="Made",
                ),
                world.build(
                    "Use",
                    'cat "$CODEBUILD_SRC_DIR_Make_Output/made"; echo " $SIZE $COMMIT $WHO $RUN"',
                    variables={
                        "SIZE": "#{Made.SIZE}",
                        "COMMIT": "#{Commit.CommitMessage}",
                        "WHO": "#{variables.WHO}",
                        "RUN": "#{codepipeline.PipelineExecutionId}",
                    },
                    runOrder=2,
                    inputArtifacts=[{"name": "App"}, {"name": "Make_Output"}],
                ),
            ),
            variables=[{"name": "WHO", "defaultValue": "nobody"}],
        )
        execution = world.start(variables=[{"name": "WHO", "value": "us"}])
        assert world.ended(execution) == "Succeeded"
        assert world.log(execution, "Use") == [f"first 5 first us {execution}"]
        made = world.action(execution, "Make")
        assert made["output"]["outputVariables"] == {"SIZE": "5"}
        (artifact,) = made["output"]["outputArtifacts"]
        used = world.action(execution, "Use")["input"]
        assert artifact in used["inputArtifacts"]
        assert used["actionTypeId"]["provider"] == "CodeBuild"
        assert "#{Made.SIZE}" in used["configuration"]["EnvironmentVariables"]
        assert '"5"' in used["resolvedConfiguration"]["EnvironmentVariables"]
        shown = world.client.get_pipeline_execution(
            pipelineName=world.name, pipelineExecutionId=execution
        )["pipelineExecution"]
        assert shown["variables"] == [{"name": "WHO", "resolvedValue": "us"}]
        with pytest.raises(world.client.exceptions.ValidationException, match="OTHER"):
            world.start(variables=[{"name": "OTHER", "value": "x"}])

    def test_actions_of_one_run_order_run_in_parallel(self, world: World) -> None:
        meet = world.folder / "meet"
        world.create(
            world.stage(
                "Build",
                world.build("One", f"mkfifo {meet}; cat {meet}"),
                world.build("Two", f"until [ -p {meet} ]; do :; done; echo met > {meet}"),
                world.build("Three", "true", runOrder=2),
            )
        )
        execution = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(execution) == "Succeeded"
        assert world.log(execution, "One") == ["met"]
        last = max(world.action(execution, name)["lastUpdateTime"] for name in ("One", "Two"))
        assert world.action(execution, "Three")["startTime"] >= last

    def test_a_failed_action_ends_its_stage_after_parallel_actions(self, world: World) -> None:
        world.create(
            world.stage(
                "Build",
                world.build("Bad", "exit 3"),
                world.build("Good", "true"),
                world.build("Never", "true", runOrder=2),
            ),
            world.stage("Prod", world.build("Deploy", "true")),
        )
        execution = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(execution) == "Failed"
        bad = world.action(execution, "Bad")
        assert bad["output"]["executionResult"]["errorDetails"]["message"] == (
            "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, "
            "Message: Error while executing command: exit 3. Reason: exit status 3"
        )
        assert world.action(execution, "Good")["status"] == "Succeeded"
        state = world.state("Build")
        assert state["latestExecution"]["status"] == "Failed"
        assert "latestExecution" not in state["actionStates"][2]
        assert "latestExecution" not in world.state("Prod")

    def test_a_missing_project_or_role_is_named(self, world: World) -> None:
        build = world.build("Test", "true")
        build["configuration"]["ProjectName"] = "nobody"
        iam = world.server.cloud.client("iam", "111111111111", "eu-west-1")
        trust = iam.get_role(RoleName="action")["Role"]["AssumeRolePolicyDocument"]
        iam.create_role(RoleName="leaving", AssumeRolePolicyDocument=json.dumps(trust))
        role = world.build("Role", "true", roleArn="arn:aws:iam::111111111111:role/leaving")
        own = world.build("Own", "true", roleArn="arn:aws:iam::111111111111:role/action")
        execution = world.create(
            world.stage("Hold", world.held("Hold")), world.stage("Build", build, role, own)
        )
        iam.delete_role(RoleName="leaving")  # a repository that does not exist yet is rejected
        world.release("Hold")
        assert world.ended(execution) == "Failed"
        said = world.action(execution, "Test")["output"]["executionResult"]["errorDetails"]
        assert "Project cannot be found: nobody" in said["message"]
        said = world.action(execution, "Role")["output"]["executionResult"]["errorDetails"]
        assert "not authorized to perform: sts:AssumeRole" in said["message"]
        own = world.action(execution, "Own")
        assert own["status"] == "Succeeded", own

    def test_a_missing_branch_fails_the_source(self, world: World) -> None:
        world.server.cloud.codeconnections.ensure_repository(world.connection, world.repository)
        definition = world.definition(world.stage("Build", world.build("Test", "true")))
        world.client.create_pipeline(pipeline=definition)
        execution = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(execution) == "Failed"
        said = world.action(execution, "Git")["output"]["executionResult"]["errorDetails"]
        assert "No Branch [main] found" in said["message"]


class TestFullClones:
    """`OutputArtifactFormat` `CODEBUILD_CLONE_REF`."""

    def stages(self, world: World, *actions: dict[str, Any]) -> list[dict[str, Any]]:
        source = world.source(OutputArtifactFormat="CODEBUILD_CLONE_REF")
        return [{"name": "Source", "actions": [source]}, world.stage("Build", *actions)]

    def test_a_build_has_the_whole_history_at_the_commit(self, world: World) -> None:
        see = "git rev-parse HEAD; git rev-list --count HEAD; cat message; echo"
        further = 'cd "$CODEBUILD_SRC_DIR_App"; git log --format=%s'
        made = world.build("Make", "echo > made", files="made")
        first = world.create(
            stages=self.stages(
                world,
                world.build("See", see, 'echo "$CODEBUILD_RESOLVED_SOURCE_VERSION"'),
                made,
                world.build(
                    "Further",
                    further,
                    runOrder=2,
                    inputArtifacts=[{"name": "Make_Output"}, {"name": "App"}],
                ),
            )
        )
        assert world.ended(first) == "Succeeded", world.errors(first)
        commit = world.push("second")
        execution = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(execution) == "Succeeded", world.errors(execution)
        assert world.log(execution, "See") == [commit, "2", "second", commit]
        assert world.log(execution, "Further") == ["second", "first"]

    def test_the_artifact_refers_to_the_repository(self, world: World) -> None:
        execution = world.create(stages=self.stages(world, world.build("Test", "true")))
        assert world.ended(execution) == "Succeeded", world.errors(execution)
        (artifact,) = world.action(execution, "Git")["output"]["outputArtifacts"]
        place = artifact["s3location"]
        s3 = world.server.cloud.client("s3", "111111111111", "eu-west-1")
        content = s3.get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
        reference = json.loads(content)
        assert reference.pop("CloneUrl").endswith(f"/{world.repository}.git")
        assert reference == {
            "ProviderType": "GitHub",
            "ConnectionArn": world.connection,
            "FullRepositoryName": world.repository,
            "BranchName": "main",
            "CommitId": world.action(execution, "Git")["output"]["outputVariables"]["CommitId"],
        }

    def test_only_builds_can_use_a_full_clone(self, world: World) -> None:
        deploy = {
            "name": "Deploy",
            "actionTypeId": {
                "category": "Deploy",
                "owner": "AWS",
                "provider": "CloudFormation",
                "version": "1",
            },
            "configuration": {
                "ActionMode": "CREATE_UPDATE",
                "StackName": "none",
                "RoleArn": "arn:aws:iam::111111111111:role/cloudformation",
                "TemplatePath": "App::message",
            },
            "inputArtifacts": [{"name": "App"}],
        }
        execution = world.create(stages=self.stages(world, deploy))
        assert world.ended(execution) == "Failed"
        (said,) = world.errors(execution)
        assert "only CodeBuild actions can use an artifact of format" in said


class TestPushes:
    def test_a_push_starts_an_execution_of_its_commit(self, world: World) -> None:
        first = world.create(world.stage("Build", world.build("Test", "cat message; echo")))
        assert world.ended(first) == "Succeeded"
        commit = world.push("second")
        world.push("elsewhere", branch="nobody-follows")
        newest, *others = world.executions()
        execution = newest["pipelineExecutionId"]
        assert [each["pipelineExecutionId"] for each in others] == [first]
        assert world.ended(execution) == "Succeeded"
        assert world.log(execution, "Test") == ["second"]
        newest = world.executions()[0]
        assert newest["trigger"] == {"triggerType": "WebhookV2", "triggerDetail": commit}
        assert newest["sourceRevisions"][0]["revisionId"] == commit
        state = world.state("Source")["actionStates"][0]
        assert state["currentRevision"]["revisionId"] == commit

    def test_the_newest_execution_supersedes_others_before_a_busy_stage(self, world: World) -> None:
        first = world.create(world.stage("Prod", world.held("Deploy", "cat message; echo")))
        world.until(lambda: world.running(first, "Deploy"))
        world.push("second")
        second = world.executions()[0]["pipelineExecutionId"]
        queues = world.service.runner.queues
        world.until(lambda: queues.waiting(world.place("Prod")) == [second])
        world.push("third")
        third = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(second) == "Superseded"
        world.release("Deploy")
        assert world.ended(first) == "Succeeded"
        world.release("Deploy")
        assert world.ended(third) == "Succeeded"
        assert world.log(third, "Deploy") == ["go", "third"]

    def test_queued_executions_run_one_after_the_other(self, world: World) -> None:
        first = world.create(
            world.stage("Prod", world.held("Deploy", "cat message; echo")), executionMode="QUEUED"
        )
        world.until(lambda: world.running(first, "Deploy"))  # it has its commit
        ids = [first]
        for message in ("second", "third"):
            world.push(message)
            ids.append(world.executions()[0]["pipelineExecutionId"])
        queues = world.service.runner.queues
        world.until(lambda: queues.waiting(world.place("Prod")) == ids[1:])
        inbound = world.state("Prod")["inboundExecutions"]
        assert [each["pipelineExecutionId"] for each in inbound] == ids[1:]
        for execution, message in zip(ids, ("first", "second", "third"), strict=True):
            world.release("Deploy")
            assert world.ended(execution) == "Succeeded"
            assert world.log(execution, "Deploy") == ["go", message]

    def test_parallel_executions_do_not_wait(self, world: World) -> None:
        with world.lock():
            ids = [world.create(world.stage("Prod", world.locked("Go")), executionMode="PARALLEL")]
            for message in ("second", "third"):
                world.push(message)
                ids.append(world.executions()[0]["pipelineExecutionId"])
            world.until(lambda: all(world.running(each, "Go") for each in ids))
        assert {world.ended(each) for each in ids} == {"Succeeded"}

    def test_a_disabled_transition_blocks_executions(self, world: World) -> None:
        first = world.create(world.stage("Prod", world.build("Deploy", "true")))
        assert world.ended(first) == "Succeeded"
        where = {"pipelineName": world.name, "stageName": "Source", "transitionType": "Outbound"}
        world.client.disable_stage_transition(**where, reason="a freeze")
        assert world.state("Prod")["inboundTransitionState"]["disabledReason"] == "a freeze"
        world.push("second")
        second = world.executions()[0]["pipelineExecutionId"]
        world.until(lambda: bool(world.service.runner.queues.waiting(world.place("Prod"))))
        assert world.state("Prod")["inboundExecution"]["pipelineExecutionId"] == second
        world.client.enable_stage_transition(**where)
        assert world.ended(second) == "Succeeded"


class TestUpdates:
    def test_an_update_cancels_running_and_waiting_executions(self, world: World) -> None:
        stages = [world.stage("Prod", world.held("Deploy")), world.stage("End", world.approval())]
        first = world.create(*stages)
        world.until(lambda: world.running(first, "Deploy"))
        world.push("second")
        second = world.executions()[0]["pipelineExecutionId"]
        world.until(lambda: bool(world.service.runner.queues.waiting(world.place("Prod"))))
        world.client.update_pipeline(pipeline=world.definition(*stages))
        assert world.ended(second) == "Cancelled"
        assert world.service.executions[first].running, "the action comes to its end"
        world.release("Deploy")
        assert world.ended(first) == "Cancelled"
        assert world.state("Prod")["latestExecution"]["status"] == "Cancelled"
        assert world.action(first, "Deploy")["status"] == "Succeeded"

    def test_a_self_mutating_pipeline_restarts_with_its_new_stages(self, world: World) -> None:
        provider = world.provider()
        deploy = world.stage("Deploy", world.build("Ship", "true"))
        mutate = world.stage("UpdatePipeline", world.held("SelfMutate"))
        world.server.cloud.codeconnections.ensure_repository(world.connection, world.repository)
        world.push("first")
        made = provider.create(world.declared(mutate, deploy))
        (only,) = world.executions()
        first = only["pipelineExecutionId"]
        assert only["trigger"]["triggerType"] == "CreatePipeline"
        world.until(lambda: world.running(first, "SelfMutate"))
        same = provider.update(world.declared(mutate, deploy, tags={"a": "b"}), made)
        assert same.attributes == made.attributes == {"Version": "1"}
        assert len(world.executions()) == 1, "tags alone are no new structure"
        more = world.stage("More", world.build("Extra", "true"))
        changed = provider.update(world.declared(mutate, deploy, more), made)
        assert changed.attributes == {"Version": "2"}
        newest, oldest = world.executions()
        assert (oldest["pipelineExecutionId"], oldest["status"]) == (first, "InProgress")
        world.release("SelfMutate")
        assert world.ended(first) == "Cancelled"
        world.release("SelfMutate")
        assert world.ended(newest["pipelineExecutionId"]) == "Succeeded"
        assert world.state("More")["latestExecution"]["status"] == "Succeeded"
        back = world.declared(mutate, deploy, rollback=True)
        provider.update(back, changed)
        assert len(world.executions()) == 2, "a rollback of the stack restarts nothing"


class TestLevers:
    def test_an_approval_is_awaited_and_answered_once(self, world: World) -> None:
        execution = world.create(world.stage("Prod", world.approval()))
        token = world.approval_token("Prod", "Approve")
        answer = {
            "pipelineName": world.name,
            "stageName": "Prod",
            "actionName": "Approve",
            "result": {"summary": "looks good", "status": "Approved"},
        }
        with pytest.raises(world.client.exceptions.InvalidApprovalTokenException):
            world.client.put_approval_result(**answer, token="no")
        world.client.put_approval_result(**answer, token=token)
        with pytest.raises(world.client.exceptions.ApprovalAlreadyCompletedException):
            world.client.put_approval_result(**answer, token=token)
        assert world.ended(execution) == "Succeeded"
        latest = world.state("Prod")["actionStates"][0]["latestExecution"]
        assert latest["summary"] == "looks good"
        assert "token" not in latest

    def test_rejected_and_expired_approvals_fail(self, world: World) -> None:
        execution = world.create(
            world.stage(
                "Prod",
                world.approval("Rejected"),
                world.approval("Late", timeoutInMinutes=5),
            )
        )
        world.client.put_approval_result(
            pipelineName=world.name,
            stageName="Prod",
            actionName="Rejected",
            result={"summary": "no", "status": "Rejected"},
            token=world.approval_token("Prod", "Rejected"),
        )
        assert world.ended(execution) == "Failed"
        for name, said in (("Rejected", "Rejected: no"), ("Late", "timed out after 5 minutes")):
            result = world.action(execution, name)["output"]["executionResult"]
            assert said in result["errorDetails"]["message"]

    def test_stop_waits_for_running_actions_and_abandon_does_not(self, world: World) -> None:
        waiting = world.create(
            world.stage("Build", world.held("Long"), world.build("Never", "true", runOrder=2)),
        )
        world.until(lambda: world.running(waiting, "Long"))
        where = {"pipelineName": world.name, "pipelineExecutionId": waiting}
        world.client.stop_pipeline_execution(**where, reason="enough")
        assert world.executions()[0]["status"] == "Stopping"
        with pytest.raises(world.client.exceptions.DuplicatedStopRequestException):
            world.client.stop_pipeline_execution(**where)
        world.release("Long")
        assert world.ended(waiting) == "Stopped"
        assert world.executions()[0]["stopTrigger"] == {"reason": "enough"}
        assert world.action(waiting, "Long")["status"] == "Succeeded"
        with pytest.raises(world.client.exceptions.PipelineExecutionNotStoppableException):
            world.client.stop_pipeline_execution(**where)
        abandoned = world.start()
        world.until(lambda: world.running(abandoned, "Long"))
        world.client.stop_pipeline_execution(
            pipelineName=world.name, pipelineExecutionId=abandoned, abandon=True
        )
        assert world.ended(abandoned) == "Stopped"
        assert world.action(abandoned, "Long")["status"] == "Abandoned"
        world.release("Long")

    @pytest.mark.parametrize("mode", ["FAILED_ACTIONS", "ALL_ACTIONS"])
    def test_a_failed_stage_is_retried(self, world: World, mode: str) -> None:
        flag = world.folder / "flag"
        execution = world.create(
            world.stage(
                "Build", world.build("Flaky", f"test -e {flag}"), world.build("Good", "true")
            ),
            world.stage("Prod", world.build("Deploy", "true")),
        )
        assert world.ended(execution) == "Failed"
        flag.touch()
        where = {"pipelineName": world.name, "pipelineExecutionId": execution, "retryMode": mode}
        with pytest.raises(world.client.exceptions.StageNotRetryableException):
            world.client.retry_stage_execution(**where, stageName="Source")
        world.client.retry_stage_execution(**where, stageName="Build")
        assert world.ended(execution) == "Succeeded"
        ran = [each.name for each in world.service.executions[execution].actions]
        assert ran.count("Flaky") == 2
        assert ran.count("Good") == (1 if mode == "FAILED_ACTIONS" else 2)
        assert world.state("Build")["retryStageMetadata"]["manualStageRetryAttempt"] == 1

    def test_a_stage_is_rolled_back_manually(self, world: World) -> None:
        good = world.create(
            world.stage("Prod", world.build("Deploy", "cat message; echo")),
            world.stage("End", world.build("After", "true")),
        )
        assert world.ended(good) == "Succeeded"
        world.push("second")
        second = world.executions()[0]["pipelineExecutionId"]
        assert world.ended(second) == "Succeeded"
        where = {"pipelineName": world.name, "stageName": "Prod"}
        back = world.client.rollback_stage(**where, targetPipelineExecutionId=good)
        execution = back["pipelineExecutionId"]
        assert world.ended(execution) == "Succeeded"
        assert world.log(execution, "Deploy") == ["first"]
        newest = world.executions()[0]
        assert newest["executionType"] == "ROLLBACK"
        assert newest["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == good
        assert newest["trigger"]["triggerType"] == "ManualRollback"
        assert "After" not in [each.name for each in world.service.executions[execution].actions]
        errors = world.client.exceptions
        with pytest.raises(errors.UnableToRollbackStageException):
            world.client.rollback_stage(**where, targetPipelineExecutionId=execution)
        world.client.update_pipeline(
            pipeline=world.client.get_pipeline(name=world.name)["pipeline"]
        )
        with pytest.raises(errors.PipelineExecutionOutdatedException):
            world.client.rollback_stage(**where, targetPipelineExecutionId=good)

    def test_the_same_token_starts_one_execution(self, world: World) -> None:
        world.create(world.stage("Prod", world.build("Deploy", "true")))
        one = world.start(clientRequestToken="the-same")
        assert world.start(clientRequestToken="the-same") == one
        commit = world.push("pinned")
        world.push("newer")
        pinned = world.start(
            sourceRevisions=[
                {"actionName": "Git", "revisionType": "COMMIT_ID", "revisionValue": commit}
            ]
        )
        assert world.ended(pinned) == "Succeeded"
        assert world.service.executions[pinned].revisions[0]["revisionId"] == commit


class TestConditions:
    def bake(self, world: World, result: str = "ROLLBACK", minutes: str = "3") -> Any:
        alarm = {"AlarmName": "errors", "WaitTime": minutes}
        return world.conditions(result, ("CloudWatchAlarm", alarm))

    def prod(self, world: World, **more: Any) -> Any:
        return world.stage("Prod", world.build("Deploy", "cat message; echo"), **more)

    def test_a_bake_without_an_alarm_lasts_its_full_time(
        self, world: World, alarms: FakeAlarms
    ) -> None:
        alarms.set("errors", "OK")
        execution = world.create(self.prod(world, onSuccess=self.bake(world)))
        assert world.ended(execution) == "Succeeded"
        (rule,) = world.client.list_rule_executions(pipelineName=world.name)["ruleExecutionDetails"]
        assert (rule["ruleName"], rule["status"]) == ("CloudWatchAlarm-0", "Succeeded")
        took = rule["lastUpdateTime"] - rule["startTime"]
        assert took.total_seconds() >= 3 * 60
        condition = world.state("Prod")["onSuccessConditionState"]
        assert condition["latestExecution"]["status"] == "Succeeded"
        assert condition["conditionStates"][0]["ruleStates"][0]["ruleName"] == "CloudWatchAlarm-0"

    def test_an_alarm_in_the_bake_rolls_back_to_the_last_successful_execution(
        self, world: World, alarms: FakeAlarms
    ) -> None:
        alarms.set("errors", "OK")
        good = world.create(self.prod(world, onSuccess=self.bake(world, minutes="100000")))
        world.until(lambda: world.baking(good))
        world.override(good)
        assert world.ended(good) == "Succeeded"
        world.push("bad")
        bad = world.executions()[0]["pipelineExecutionId"]
        world.until(lambda: world.baking(bad))
        alarms.set("errors", "ALARM")
        assert world.ended(bad) == "Failed"
        alarms.set("errors", "OK")
        back = world.executions()[0]
        assert back["executionType"] == "ROLLBACK"
        assert back["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": bad}
        execution = back["pipelineExecutionId"]
        world.until(lambda: world.baking(execution))
        world.override(execution)
        assert world.ended(execution) == "Succeeded"
        assert world.log(execution, "Deploy") == ["first"]
        failed = next(each for each in world.executions() if each["pipelineExecutionId"] == bad)
        assert failed["statusSummary"] == "Alarm errors is in state ALARM: a test said so"

    def test_the_summary_reports_that_no_execution_succeeded_before(
        self, world: World, alarms: FakeAlarms
    ) -> None:
        alarms.set("errors", "ALARM")
        execution = world.create(self.prod(world, onSuccess=self.bake(world)))
        assert world.ended(execution) == "Failed"
        (only,) = world.executions()
        assert "could not be rolled back" in only["statusSummary"]

    def test_an_alarm_that_does_not_exist_fails_the_condition(
        self, world: World, alarms: FakeAlarms
    ) -> None:
        execution = world.create(self.prod(world, onSuccess=self.bake(world, "FAIL")))
        assert world.ended(execution) == "Failed"
        assert "Alarm errors does not exist" in world.executions()[0]["statusSummary"]

    def test_a_bake_is_overridden(self, world: World, alarms: FakeAlarms) -> None:
        alarms.set("errors", "OK")
        endless = self.bake(world, "FAIL", "100000")
        execution = world.create(self.prod(world, onSuccess=endless))
        world.until(lambda: world.baking(execution))
        where = {
            "pipelineName": world.name,
            "stageName": "Prod",
            "pipelineExecutionId": execution,
        }
        with pytest.raises(world.client.exceptions.ConditionNotOverridableException):
            world.client.override_stage_condition(**where, conditionType="BEFORE_ENTRY")
        world.override(execution)
        assert world.ended(execution) == "Succeeded"
        condition = world.state("Prod")["onSuccessConditionState"]
        assert condition["latestExecution"]["status"] == "Overridden"

    def test_a_bake_is_stopped(self, world: World, alarms: FakeAlarms) -> None:
        alarms.set("errors", "OK")
        endless = self.bake(world, "FAIL", "100000")
        execution = world.create(self.prod(world, onSuccess=endless))
        world.until(lambda: world.baking(execution))
        world.client.stop_pipeline_execution(pipelineName=world.name, pipelineExecutionId=execution)
        assert world.ended(execution) == "Stopped"

    @pytest.mark.parametrize(
        ("result", "value", "status", "stage"),
        [
            ("FAIL", "first", "Succeeded", "Succeeded"),
            ("FAIL", "other", "Failed", "Failed"),
            ("SKIP", "other", "Succeeded", "Skipped"),
        ],
    )
    def test_an_entry_condition_fails_or_skips_the_stage(
        self, world: World, result: str, value: str, status: str, stage: str
    ) -> None:
        check = {"Variable": "#{Commit.CommitMessage}", "Value": value, "Operator": "EQ"}
        execution = world.create(
            self.prod(world, beforeEntry=world.conditions(result, ("VariableCheck", check))),
            world.stage("End", world.build("After", "true")),
        )
        assert world.ended(execution) == status
        assert world.state("Prod")["latestExecution"]["status"] == stage
        ran = {each.name for each in world.service.executions[execution].actions}
        assert ("Deploy" in ran) == (stage == "Succeeded")
        assert ("After" in ran) == (status == "Succeeded")

    def test_a_rollback_evaluates_the_entry_condition_of_its_stage(
        self, world: World, alarms: FakeAlarms
    ) -> None:
        """A freeze that has started rejects the rollback of its stage."""
        alarms.set("freeze", "OK")
        window = world.conditions("FAIL", ("CloudWatchAlarm", {"AlarmName": "freeze"}))
        good = world.create(self.prod(world, beforeEntry=window))
        assert world.ended(good) == "Succeeded"
        world.push("bad")
        assert world.ended(world.executions()[0]["pipelineExecutionId"]) == "Succeeded"
        alarms.set("freeze", "ALARM")
        back = world.client.rollback_stage(
            pipelineName=world.name, stageName="Prod", targetPipelineExecutionId=good
        )["pipelineExecutionId"]
        assert world.ended(back) == "Failed"
        assert not world.service.executions[back].actions
        found = world.executions()[0]
        assert found["executionType"] == "ROLLBACK"
        assert found["statusSummary"] == "Alarm freeze is in state ALARM: a test said so"

    def test_a_stage_retries_itself_once(self, world: World) -> None:
        count = world.folder / "count"
        execution = world.create(
            world.stage(
                "Build",
                world.build("Flaky", f"echo x >> {count}; [ $(wc -l < {count}) = 2 ]"),
                onFailure={"result": "RETRY"},
            )
        )
        assert world.ended(execution) == "Succeeded"
        assert world.state("Build")["retryStageMetadata"]["autoStageRetryAttempt"] == 1


class TestApi:
    def test_pages(self, world: World) -> None:
        first = world.create(world.stage("Prod", world.build("Deploy", "true")))
        ids = [first, *(world.start() for _ in range(3))]
        for each in ids:
            world.ended(each)
        pages = world.client.get_paginator("list_pipeline_executions").paginate(
            pipelineName=world.name, PaginationConfig={"PageSize": 3}
        )
        listed = [e for page in pages for e in page["pipelineExecutionSummaries"]]
        assert [each["pipelineExecutionId"] for each in listed] == ids[::-1]
        pages = world.client.get_paginator("list_action_executions").paginate(
            pipelineName=world.name, PaginationConfig={"PageSize": 3}
        )
        ran = [each for each in world.service.executions.values() if each.id in ids]
        assert sum(len(page["actionExecutionDetails"]) for page in pages) == (
            sum(len(each.actions) for each in ran)
        )
        with pytest.raises(world.client.exceptions.InvalidNextTokenException):
            world.client.list_pipeline_executions(pipelineName=world.name, nextToken="x")

    def test_errors(self, world: World) -> None:
        errors = world.client.exceptions
        with pytest.raises(errors.PipelineNotFoundException, match=world.name):
            world.client.get_pipeline_state(name=world.name)
        definition = world.definition(world.stage("Prod", world.build("Deploy", "true")))
        definition["stages"][1]["actions"][0]["actionTypeId"]["provider"] = "Jenkins"
        with pytest.raises(errors.InvalidActionDeclarationException, match="Prod/Deploy: Build by"):
            world.client.create_pipeline(pipeline=definition)
        definition["stages"][1]["actions"][0] = world.build("Deploy", "true")
        definition["stages"][0]["actions"][0]["configuration"]["ConnectionArn"] = "arn:none"
        with pytest.raises(errors.InvalidActionDeclarationException, match="Connection not found"):
            world.client.create_pipeline(pipeline=definition)
        execution = world.create(world.stage("Prod", world.build("Deploy", "true")))
        with pytest.raises(errors.PipelineNameInUseException):
            world.client.create_pipeline(pipeline=world.definition(*definition["stages"][1:]))
        assert world.ended(execution) == "Succeeded"
        with pytest.raises(errors.PipelineExecutionNotFoundException):
            world.client.get_pipeline_execution(
                pipelineName=world.name, pipelineExecutionId="0" * 8 + "-0000" * 3 + "-" + "0" * 12
            )
        with pytest.raises(errors.StageNotFoundException):
            world.client.disable_stage_transition(
                pipelineName=world.name, stageName="No", transitionType="Inbound", reason="x"
            )

    def test_tags(self, world: World) -> None:
        world.create(world.stage("Prod", world.build("Deploy", "true")))
        arn = world.client.get_pipeline(name=world.name)["metadata"]["pipelineArn"]
        world.client.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}])
        assert world.client.list_tags_for_resource(resourceArn=arn)["tags"] == [
            {"key": "a", "value": "b"}
        ]
        world.client.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert world.client.list_tags_for_resource(resourceArn=arn)["tags"] == []
