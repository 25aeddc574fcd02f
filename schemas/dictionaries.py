"""Dictionary-encoded strings as ClickHouse takes them: a dictionary with every value that is used, once.

Renaming leaves a value twice in a dictionary, which ClickHouse refuses; dropping rows leaves values that no
row has any more, which must not travel on.
"""

import numpy as np
import pyarrow as pa

_FEW = 256


def compact(column: pa.DictionaryArray) -> pa.DictionaryArray:
    """The same strings, nulls as the empty one, over a dictionary of the distinct strings that occur."""
    if column.indices.null_count or not _is_distinct(column.dictionary):
        column = _encoded_anew(column)
    numbers = column.indices.to_numpy()
    used = np.zeros(len(column.dictionary), bool)
    used[numbers] = True
    if used.all():
        return column
    positions = (np.cumsum(used) - 1).astype(np.int32)
    return pa.DictionaryArray.from_arrays(positions[numbers], column.dictionary.filter(pa.array(used)))


def _is_distinct(values: pa.StringArray) -> bool:
    """Whether no value is null or there twice; not known, and so not said, of many."""
    return len(values) <= _FEW and not values.null_count and len(set(values.to_pylist())) == len(values)


def _encoded_anew(column: pa.DictionaryArray) -> pa.DictionaryArray:
    values = pa.concat_arrays([column.dictionary.fill_null(""), pa.array([""])])
    encoded = values.dictionary_encode()
    numbers = encoded.indices.to_numpy()[column.indices.fill_null(len(values) - 1).to_numpy()]
    return pa.DictionaryArray.from_arrays(numbers, encoded.dictionary)
