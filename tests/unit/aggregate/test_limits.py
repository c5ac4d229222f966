"""What Redis holds is bounded, whatever clicks say."""

from services.aggregate.columns.dimensions import DIMENSIONS
from shared.rollups.contract import AUDIENCE_ROWS


def test_every_ranking_of_names_that_clicks_choose_has_a_limit() -> None:
    open_rankings = {
        shown.ranking for dimension in DIMENSIONS if dimension.is_open for shown in dimension.shown if shown.ranking
    }
    assert {"pages_1h", "categories_1h", "countries_1h"} <= open_rankings
    assert not [ranking for ranking in open_rankings if AUDIENCE_ROWS[ranking].limit is None]
