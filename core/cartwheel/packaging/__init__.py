"""Building the code packages of an application: which files, for which machine, as which bytes.

Nothing here knows a provider. An adapter says what to leave out and where the files go; the same
input gives the same bytes, so that a package is uploaded only when it changed.
"""

from cartwheel.packaging._archive import archive, unpacked_size
from cartwheel.packaging._bytecode import Built, compiled
from cartwheel.packaging._errors import PackagingError
from cartwheel.packaging._imports import imports_of
from cartwheel.packaging._lean import lean
from cartwheel.packaging._requirements import Pin, requirements_of
from cartwheel.packaging._sources import sources_of
from cartwheel.packaging._target import Target
from cartwheel.packaging._wheels import fetch

__all__ = [
    "Built",
    "PackagingError",
    "Pin",
    "Target",
    "archive",
    "compiled",
    "fetch",
    "imports_of",
    "lean",
    "requirements_of",
    "sources_of",
    "unpacked_size",
]
