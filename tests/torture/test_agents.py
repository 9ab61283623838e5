from flyball.torture import agents


def test_agents_that_are_killed_and_cut_off_all_come_to_the_newest_release(tmp_path):
    told = agents.killed(1, tmp_path)
    assert told.passed, told.why


def test_agents_with_the_root_of_another_site_believe_nothing(tmp_path):
    told = agents.killed(1, tmp_path, sabotage=True)
    assert not told.passed
    rounds = list(agents.lines(tmp_path, "m00"))
    assert rounds and all(
        "SignatureError" in one["problem"] or "Unreachable" in one["problem"] for one in rounds
    )


def test_an_agent_that_is_killed_while_it_scores_answers_every_question_once(tmp_path):
    told = agents.scored(1, tmp_path)
    assert told.passed, told.why


def test_an_agent_that_forgets_where_it_was_is_found_out(tmp_path):
    told = agents.scored(1, tmp_path, sabotage=True)
    assert not told.passed and ("twice" in told.why or "never" in told.why)
