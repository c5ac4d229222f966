"""Answers of history that are asked for in the background and shared."""

from collections.abc import Callable
from threading import Event

from structlog.testing import capture_logs

from services.dashboard.sources.history import answers
from services.dashboard.sources.history.answers import HistoryAnswers, Standing
from services.dashboard.sources.history.failure import HistoryFailure
from services.dashboard.sources.history.questions import Question
from tests.support.polling import eventually

ONE, OTHER = Question("aggregate", (("window", "7d"),)), Question("aggregate", (("window", "30d"),))
LONG_SECONDS = 60.0


class History:
    """Answers with the number of the request; holds them while `is_open` is not set."""

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.now_s = 0.0
        self.is_open = Event()
        self.is_open.set()
        self.failure: Exception | None = None

    def ask(self, question: Question) -> bytes:
        self.asked.append(question)
        assert self.is_open.wait(LONG_SECONDS)
        if self.failure is not None:
            raise self.failure
        return str(len(self.asked)).encode()

    def answers(self, workers: int = answers.WORKERS) -> HistoryAnswers[str]:
        return HistoryAnswers(self.ask, bytes.decode, lambda: self.now_s, workers)


def look(own: HistoryAnswers[str], question: Question = ONE, wait_seconds: float = LONG_SECONDS) -> Standing[str]:
    (standing,) = own.look([question], wait_seconds)
    return standing


def settled(own: HistoryAnswers[str], is_so: Callable[[Standing[str]], bool]) -> None:
    eventually(lambda: is_so(look(own)), "the answer")


def test_viewers_who_ask_the_same_share_a_request() -> None:
    history = History()
    own = history.answers()
    assert [look(own).said for _ in range(5)] == ["1"] * 5
    assert look(own, OTHER).said == "2"
    assert history.asked == [ONE, OTHER]


def test_a_page_does_not_wait_for_a_slow_answer_and_sees_for_how_long_it_is_asked() -> None:
    history = History()
    history.is_open.clear()
    own = history.answers()
    assert look(own, wait_seconds=0) == Standing(asking_seconds=0.0)
    history.now_s = 3.0
    assert look(own, wait_seconds=0) == Standing(asking_seconds=3.0)
    history.is_open.set()
    settled(own, lambda standing: standing.said == "1")
    assert len(history.asked) == 1


def test_the_old_answer_stays_while_a_new_one_is_asked_for() -> None:
    history = History()
    own = history.answers()
    assert look(own).said == "1"
    history.is_open.clear()
    history.now_s = answers.LEAST_LIFE_SECONDS
    assert look(own) == Standing("1", asking_seconds=0.0)
    history.is_open.set()
    settled(own, lambda standing: standing == Standing("2"))


def test_an_answer_lives_longer_the_longer_it_took() -> None:
    history = History()
    history.is_open.clear()
    own = history.answers()
    look(own, wait_seconds=0)
    eventually(lambda: history.asked, "the request")
    history.now_s = 3.0
    history.is_open.set()
    settled(own, lambda standing: standing.said == "1")
    history.now_s = 3.0 + 3 * answers.LIFE_PER_SECOND - 0.1
    assert look(own) == Standing("1")
    history.now_s += 0.1
    settled(own, lambda standing: standing.said == "2")


def test_a_failure_is_shown_beside_the_last_answer_and_tried_again() -> None:
    history = History()
    own = history.answers()
    look(own)
    history.failure = HistoryFailure("503: busy")
    history.now_s = answers.LEAST_LIFE_SECONDS
    settled(own, lambda standing: standing.failure is history.failure and standing.said == "1")
    assert look(own).asking_seconds is None, "history is asked again at once"
    history.failure = None
    history.now_s += answers.RETRY_SECONDS
    settled(own, lambda standing: standing == Standing("3"))


def test_a_question_waits_for_as_long_as_history_asks() -> None:
    history = History()
    own = history.answers()
    history.failure = HistoryFailure("503: took too long", retry_seconds=20)
    look(own)
    history.failure = None
    history.now_s = 19.9
    assert look(own).asking_seconds is None
    history.now_s = 20
    settled(own, lambda standing: standing.said == "2")


def test_a_bug_ends_the_question_and_is_logged() -> None:
    history = History()
    history.failure = RuntimeError("a bug")
    with capture_logs() as logs:
        standing = look(history.answers())
    assert standing.failure is not None
    assert standing.failure.reason == "RuntimeError"
    assert [line["log_level"] for line in logs] == ["error"]


def test_a_question_that_nobody_waits_for_is_not_asked() -> None:
    history = History()
    history.is_open.clear()
    own = history.answers(workers=1)
    look(own, wait_seconds=0)
    eventually(lambda: history.asked, "the request")
    look(own, OTHER, wait_seconds=0)
    history.now_s = answers.ABANDONED_SECONDS + 1
    history.is_open.set()
    third = Question("breakdown", ())
    eventually(lambda: look(own, third, wait_seconds=0).said, "a later question")
    assert history.asked == [ONE, third]
    assert look(own, OTHER).said == "3"


def test_old_answers_are_forgotten() -> None:
    history = History()
    own = history.answers()
    many = [Question("breakdown", (("by", str(number)),)) for number in range(answers.MOST_KEPT + 1)]
    look(own)
    for question in many:
        look(own, question)
    number = len(history.asked)
    look(own, many[-1])
    assert len(history.asked) == number
    look(own)
    assert len(history.asked) == number + 1
