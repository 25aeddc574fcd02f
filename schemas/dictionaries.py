"""Dictionary-encoded strings as ClickHouse takes them: a dictionary with every value that is used, once.

Renaming leaves a value twice in a dictionary, which ClickHouse refuses; dropping rows leaves values that no
row has any more, which must not travel on.
"""

import numpy as np
import pyarrow as pa


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same strings, nulls as the empty one, over a dictionary of the distinct strings that occur."""
    values = pa.concat_arrays([column.dictionary.fill_null(""), pa.array([""])])
    encoded = values.dictionary_encode()
    numbers = encoded.indices.to_numpy()[column.indices.fill_null(len(values) - 1).to_numpy()]
    used = np.bincount(numbers, minlength=len(encoded.dictionary)) > 0
    positions = (np.cumsum(used) - 1).astype(np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(positions[numbers]), encoded.dictionary.filter(pa.array(used))
    )
