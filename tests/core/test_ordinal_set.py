import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recon.core.ordinal_set import OrdinalSet

BATCHES = st.lists(st.lists(st.integers(0, 299), max_size=200), max_size=8)


@given(BATCHES)
def test_the_set_is_what_was_added_however_it_was_batched(batches):
    found = OrdinalSet(300)
    for batch in batches:
        found.add(np.array(batch, dtype=np.int64))
    assert set(found.bits()) == {ordinal for batch in batches for ordinal in batch}
