"""What is known of items and users, as numbers: fitted on the training events, and then the same for any row."""

from foretaste.data.features.config import FeaturesConfig
from foretaste.data.features.fitted import FittedFeatures, fit_features
from foretaste.data.features.table import DenseColumn, FeatureTable

__all__ = ["DenseColumn", "FeatureTable", "FeaturesConfig", "FittedFeatures", "fit_features"]
