import numpy as np
import pytest
import torch
from pydantic import ValidationError

from foretaste.data.features import FeaturesConfig, fit_features
from foretaste.models.two_tower.config import TowerConfig, TwoTowerConfig
from foretaste.models.two_tower.objective import Objective
from foretaste.models.two_tower.placing import FeatureTower
from foretaste.models.two_tower.towers import Tower, TwoTowers
from foretaste.training.batches import Batch
from foretaste.training.losses import category_alignment_loss, sampled_softmax_loss

SMALL = TowerConfig(hidden_dims=(6,), bag_dim=3)


@pytest.fixture
def features(tastes):
    # `embed_above` makes a bag of the genres.
    fitted = fit_features(tastes, FeaturesConfig(embed_above=1))
    return fitted.encode_items(tastes.catalogue, tastes.interactions.item_counts())


@pytest.fixture
def tower_of(features, tastes):
    def build(**told):
        torch.manual_seed(0)
        config = TwoTowerConfig(embedding_dim=4, **told)
        return Tower(features, tastes.interactions.item_counts() > 0, SMALL, config)

    return build


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("fusion", ["identity", "sum", "concat", "adaptive_mimic"])
def test_numpy_places_rows_without_an_id_as_torch_does(fusion, similarity, tower_of, features):
    tower = tower_of(fusion=fusion, similarity=similarity, augmentation={}).eval()
    cold = torch.arange(24, 30)
    weights = {name: tensor.numpy() for name, tensor in tower.idless_parameters().items()}
    assert not any(name.startswith(("ids", "augmented", "join")) for name in weights)
    cold_features = features.take(np.arange(24, 30))
    if fusion == "identity":
        cold_features = type(features).beside(6, [])
    vector_BD = FeatureTower(weights, fusion, similarity).place(cold_features)
    np.testing.assert_allclose(vector_BD, tower(cold).vector_BD.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_row_without_events_is_placed_without_its_id(tower_of):
    tower, rows = tower_of().eval(), torch.tensor([0, 29])
    before = tower(rows)
    with torch.no_grad():
        tower.ids.weight += 1.0
    after = tower(rows)
    assert before.has_id_B.tolist() == [True, False]
    assert not torch.equal(before.vector_BD[0], after.vector_BD[0])
    assert torch.equal(before.vector_BD[1], after.vector_BD[1])


def test_training_hides_the_popularity_along_with_the_id(tower_of, features):
    tower = tower_of().eval()
    at = [column.kind for column in features.columns].index("popularity")
    row = torch.tensor([0])
    shown, hidden = torch.tensor([True]), torch.tensor([False])
    before = [tower.encoder(row, has_id) for has_id in (shown, hidden)]
    tower.encoder.dense_XF[0, at] += 1.0
    after = [tower.encoder(row, has_id) for has_id in (shown, hidden)]
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


def test_id_dropout_takes_its_share_of_the_ids(tower_of):
    tower = tower_of().train()
    tower.id_dropout = 0.3
    has_id_B = torch.cat([tower(torch.arange(24)).has_id_B for _ in range(200)])
    assert float(has_id_B.float().mean()) == pytest.approx(0.7, abs=0.03)


@pytest.fixture
def towers(tower_of):
    def build(**told):
        return TwoTowers(tower_of(**told), tower_of(**told)).eval(), TwoTowerConfig(embedding_dim=4, **told)

    return build


def batch_of(users, positives, negatives):
    return Batch(torch.tensor(users), torch.tensor(positives), negative_BS=torch.tensor(negatives))


def test_the_loss_is_that_of_the_scores(towers):
    pair, config = towers(log_q=False, temperature=0.5)
    batch = batch_of([3, 3, 5], [1, 2, 1], [[4, 1], [4, 4], [2, 6]])
    objective = Objective(pair, config, torch.full((30,), -1))
    negative_BS = objective.score(batch.user_B, batch.negative_BS)
    positive_B = objective.score(batch.user_B, batch.positive_B[:, None])[:, 0]
    expected_B = sampled_softmax_loss(positive_B, negative_BS, temperature=0.5)
    torch.testing.assert_close(objective.loss(batch), expected_B)


def test_mimic_and_alignment_are_added_with_their_weights(towers):
    told = {"log_q": False, "augmentation": {"mimic_weight": 2.0, "alignment_weight": 3.0}}
    pair, config = towers(**told)
    category_I = torch.arange(30) % 2
    batch = batch_of([0, 1, 2, 3], [1, 2, 3, 4], [[5], [6], [7], [8]])
    plain = config.model_copy(update={"augmentation": None})
    users, items = pair.user(batch.user_B), pair.item(batch.positive_B)
    mimic_B = (users.augmented_BD - items.vector_BD).square().sum(1)
    mimic_B = mimic_B + (items.augmented_BD - users.vector_BD).square().sum(1)
    alignment = category_alignment_loss(items.vector_BD, category_I[batch.positive_B])
    expected_B = Objective(pair, plain, category_I).loss(batch) + 2.0 * mimic_B + 3.0 * alignment
    torch.testing.assert_close(Objective(pair, config, category_I).loss(batch), expected_B)


def test_the_target_of_the_mimic_learns_nothing_from_it(towers):
    pair, config = towers(augmentation={"alignment_weight": 0.0})
    users, items = pair.user(torch.tensor([0, 1])), pair.item(torch.tensor([2, 3]))
    rows = torch.arange(2)
    Objective(pair, config, torch.full((30,), -1))._mimic_loss(users, items, rows, rows).sum().backward()
    with_gradient = {name for name, parameter in pair.named_parameters() if parameter.grad is not None}
    assert with_gradient == {"user.augmented.weight", "item.augmented.weight"}


def test_ids_are_no_longer_than_their_norm_may_be(features, tastes):
    rows, has_events_X = torch.arange(10), tastes.interactions.item_counts() > 0
    torch.manual_seed(0)
    tower = Tower(features, has_events_X, SMALL.model_copy(update={"max_norm": 0.5}), TwoTowerConfig(embedding_dim=4))
    assert bool((tower.ids.weight[rows].norm(dim=1) > 0.5).any())
    tower(rows)
    assert bool((tower.ids.weight[rows].norm(dim=1) <= 0.5 + 1e-5).all())


def test_a_sparse_table_with_a_largest_norm_is_refused():
    with pytest.raises(ValidationError, match=r"max_norm rewrites rows.*sparse: false"):
        TowerConfig(sparse=True, max_norm=1.0)
