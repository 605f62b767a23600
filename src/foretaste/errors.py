"""The exceptions that foretaste raises for what its users can fix.

    ForetasteError
    ├── ConfigError        a config file or an option is wrong; nothing was computed
    ├── DataError          a file, a table or a row is not what it should be
    │   └── SplitError     the data cannot be split as asked
    ├── ModelError         a model cannot be trained or asked for scores as it is used
    ├── ArtifactError      a run or a bundle is missing, damaged or in the way
    ├── TrackingError      the experiment tracker cannot be reached or refuses what it is sent
    ├── EstimationError    a log cannot answer what it is asked
    ├── RequestError       a request names what does not exist
    │   └── UnknownItemError
    └── LogFullError       the service cannot write down what it was told; nothing was acknowledged

Each message says what was expected, what came, an example and the remedy. The command line prints it without a
traceback and exits with 2 for a ConfigError, 1 for the rest.
"""


class ForetasteError(ValueError):
    """Something that the user can fix; its message says how."""


class ConfigError(ForetasteError):
    """A config file or an option is wrong. Found before anything is computed."""


class DataError(ForetasteError):
    """A file, a table or a row is not what it should be."""


class SplitError(DataError):
    """The data cannot be split as asked."""


class ModelError(ForetasteError):
    """A model cannot be trained or asked for scores in the way it is used."""


class ArtifactError(ForetasteError):
    """A run or a bundle is missing, damaged or in the way."""


class EstimationError(ForetasteError):
    """A log cannot answer what it is asked."""


class TrackingError(ForetasteError):
    """The experiment tracker cannot be reached or refuses what it is sent; nothing else is lost."""


class RequestError(ForetasteError):
    """A request names what does not exist or asks for what cannot be given."""


class UnknownItemError(RequestError):
    """A request names an item that the bundle does not hold."""


class LogFullError(ForetasteError):
    """The service cannot write down what it was told, so it does not acknowledge it."""
