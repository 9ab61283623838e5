"""The loop under Dagster: real materializations on an instance of its own, in this process."""

import pytest

from flyball import errors, monitoring, part, units
from flyball.runtime import dagster as assets
from flyball.runtime import run
from flyball.runtime.store import Store

dg = pytest.importorskip("dagster", reason="NOT TRIED WITH DAGSTER: pip install 'flyball[dagster]'")
pytestmark = [
    pytest.mark.slow,
    # Dagster's own databases and clients: nothing here can mend them.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Starting in dagster:UserWarning"),
]


@pytest.fixture
def bound(daily, tmp_path):
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for day in list(daily.files)[:45]:
        for file in daily.files[day]:
            (inbox / f"{file.parent.name}-{file.name}").write_bytes(file.read_bytes())
    return run.Bound(tmp_path / "store", inbox)


@pytest.fixture
def page(daily):
    watch = part.replace(daily.page.monitoring, retrain=(monitoring.Weekly(),), drift=None, concept=())
    return part.replace(daily.page, monitoring=watch)


def went(definitions, instance):
    return definitions.resolve_job_def("pumps_round").execute_in_process(instance=instance)


def materialized(result):
    events = result.get_asset_materialization_events()
    return {event.asset_key.path[-1]: event.materialization.metadata for event in events}


def test_a_round_materializes_what_it_made_and_nothing_where_nothing_arrived(page, bound, quick):
    definitions = assets.definitions(page, bound)
    with dg.DagsterInstance.ephemeral() as instance:
        first = materialized(went(definitions, instance))
        assert set(first) == set(assets.ASSETS)
        assert first["release"]["because"].value == "first training"
        assert (
            first["release"]["release"].value == Store.open(bound.store, page.data).state("loop")["release"]
        )
        assert materialized(went(definitions, instance)) == {}


def test_a_round_waits_for_another_one_and_says_so(page, bound, quick, monkeypatch):
    def held(page, bound):
        raise errors.StoreError("loop.lock: another loop goes round")

    monkeypatch.setattr(assets.loop, "once", held)
    definitions = assets.definitions(page, bound, again_s=0)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("pumps_round")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not result.success
        kinds = [event.event_type_value for event in result.all_events]
        assert kinds.count("STEP_UP_FOR_RETRY") == assets.TRIES


def test_the_checks_say_that_a_training_was_refused_and_that_there_is_an_alarm(page, bound, quick):
    kept = Store.open(bound.store, page.data)
    kept.state("loop", {"refused": "the training at hand did not pass beats"})
    kept.state("watch", {"alarms": [{"why": "vibration PSI 0.4 > 0.1"}]})
    definitions = assets.definitions(page, bound)
    checks = list(definitions.resolve_asset_graph().asset_check_keys)
    assert {key.name for key in checks} == {"gates", "holds"}
    found = {check.check_key.name: check() for check in definitions.asset_checks}
    assert not found["gates"].passed and "beats" in found["gates"].metadata["refused"].value
    assert not found["holds"].passed and found["holds"].severity == dg.AssetCheckSeverity.WARN
    kept.state("loop", {"refused": ""})
    kept.state("watch", {"alarms": []})
    assert all(check().passed for check in definitions.asset_checks)


def test_a_file_that_arrives_asks_for_one_round(page, bound):
    definitions = assets.definitions(page, bound)
    sensor = definitions.get_sensor_def("pumps_arrived")
    with dg.build_sensor_context() as context:
        (asked,) = sensor(context)
        assert isinstance(asked, dg.RunRequest)
        cursor = context.cursor
    with dg.build_sensor_context(cursor=cursor) as context:
        (skipped,) = sensor(context)
        assert isinstance(skipped, dg.SkipReason)
    (bound.source / "new.csv").write_text("x")
    with dg.build_sensor_context(cursor=cursor) as context:
        (again,) = sensor(context)
        assert again.run_key != asked.run_key


def test_a_training_that_is_due_asks_once_for_each_state_of_the_data(page, bound):
    kept = Store.open(bound.store, page.data)
    sensor = assets.definitions(page, bound).get_sensor_def("pumps_due")
    with dg.build_sensor_context() as context:
        (skipped,) = sensor(context)
        assert isinstance(skipped, dg.SkipReason)
        kept.state("watch", {"retrain": "alarm: drift"})
        (asked,) = sensor(context)
        assert asked.tags["flyball/because"] == "alarm: drift"
        assert [one.run_key for one in sensor(context)] == [asked.run_key]


def test_a_page_with_problems_is_no_code_location(page, bound):
    wrong = part.replace(
        page, monitoring=part.replace(page.monitoring, retrain=(monitoring.Weekly(every=units.days(0)),))
    )
    with pytest.raises(errors.DeclarationError, match="no time"):
        assets.definitions(wrong, bound)


def test_the_telemetry_of_dagster_is_off(page, bound, monkeypatch):
    monkeypatch.delenv("DAGSTER_DISABLE_TELEMETRY", raising=False)
    assets.definitions(page, bound)
    import os

    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "1"
