"""Devices: the distinct visitors of each device type in the trailing ten minutes."""

from tests.support.oracle.timeline import T, Timeline, click, published


def test_a_device_counts_for_ten_minutes() -> None:
    #     T−600   T−599                  T     T+1
    #  ──────○──────●────────────────────●──────○──▶
    #       out    in                   in    waits
    assert published(click(T - 601)).devices_10m["Desktop"] == 0
    assert published(click(T - 600)).devices_10m["Desktop"] == 0
    assert published(click(T - 599)).devices_10m["Desktop"] == 1
    assert published(click(T)).devices_10m["Desktop"] == 1
    assert published(click(T + 1)).devices_10m["Desktop"] == 0
    assert published(click(T + 1), instant=T + 1).devices_10m["Desktop"] == 1


def test_a_visitor_counts_once_with_each_of_its_devices() -> None:
    #     T−600                          T
    #  ──────┼────●────────●────────●────┤
    #          ada: desktop twice, mobile once
    events = [click(T - 300), click(T - 200), click(T - 100, deviceType="Mobile")]
    assert published(*events).devices_10m == {"Desktop": 1, "Mobile": 1, "Tablet": 0, "Bot": 0, "Other": 0}
    assert published(*events, instant=T + 300).devices_10m["Desktop"] == 1
    assert published(*events, instant=T + 400).devices_10m["Desktop"] == 0
    assert published(*events, instant=T + 400).devices_10m["Mobile"] == 1


def test_an_audience_shows_its_own_devices() -> None:
    #  ────●──────────●────┤ T
    #   desktop      bot
    timeline = Timeline(T)
    timeline.arrive(T, click(T - 2), click(T - 1, "crawler", deviceType="Bot"))
    audiences = timeline.publish(T).audiences
    assert audiences["human"].devices_10m == {"Desktop": 1, "Mobile": 0, "Tablet": 0, "Other": 0}
    assert audiences["bot"].devices_10m == {"Bot": 1}
    assert sum(audiences["all"].devices_10m.values()) == 2
