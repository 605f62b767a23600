"""Public data sets that `foretaste data download` knows: where they lie, under which terms, and whom to cite."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RemoteFile:
    """A file at its official address."""

    url: str
    md5: str = ""
    """MD5 of the file where it is known for certain."""
    has_md5_beside: bool = False
    """Whether the publisher keeps the file's MD5 under the same address with `.md5`."""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class KnownDataset:
    """A public data set."""

    name: str
    title: str
    files: tuple[RemoteFile, ...]
    """One archive, or the files that make up a folder."""
    licence: str
    """The terms, in short; the publisher's own words are binding."""
    citation: str
    unpacked: tuple[str, ...]
    """The files of an unpacked copy that foretaste reads."""
    content_md5: dict[str, str] = field(default_factory=dict)
    """MD5 of files inside, by name, so that a repacked copy can be told from a damaged one."""

    @property
    def is_archive(self) -> bool:
        """Whether the publisher gives a single archive rather than the files of a folder."""
        return len(self.files) == 1 and self.files[0].name == f"{self.name}.zip"


_MOVIELENS_TERMS = "research use, no redistribution without permission (GroupLens)"
_MOVIELENS_PAPER = (
    "F. M. Harper and J. A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM TiiS 5, 4, Article 19."
)
_AMAZON_TERMS = "none stated; for research (McAuley Lab, UC San Diego)"
_AMAZON_2014_PAPER = (
    "R. He and J. McAuley. 2016. Ups and Downs: Modeling the Visual Evolution of Fashion Trends with One-Class "
    "Collaborative Filtering. WWW."
)
_AMAZON_2018_PAPER = (
    "J. Ni, J. Li and J. McAuley. 2019. Justifying Recommendations using Distantly-Labeled Reviews and Fine-Grained "
    "Aspects. EMNLP."
)
_AMAZON_2023_PAPER = (
    "Y. Hou, J. Li, Z. He, A. Yan, X. Chen and J. McAuley. 2024. Bridging Language and Items for Retrieval and "
    "Recommendation. arXiv:2403.03952."
)
_UCSD = "https://mcauleylab.ucsd.edu/public_datasets/data"


def _movielens(name: str, title: str, *unpacked: str, content_md5: dict[str, str] | None = None) -> KnownDataset:
    return KnownDataset(
        name=name,
        title=title,
        files=(RemoteFile(f"https://files.grouplens.org/datasets/movielens/{name}.zip", has_md5_beside=True),),
        licence=_MOVIELENS_TERMS,
        citation=_MOVIELENS_PAPER,
        unpacked=unpacked,
        content_md5=content_md5 or {},
    )


def _movielens_csv(name: str, title: str) -> KnownDataset:
    return _movielens(name, title, "ratings.csv", "movies.csv")


def _folder(name: str, title: str, licence: str, citation: str, *urls: str) -> KnownDataset:
    files = tuple(map(RemoteFile, urls))
    unpacked = tuple(file.name.removesuffix(".gz") for file in files)
    return KnownDataset(name, title, files, licence, citation, unpacked)


def _amazon_2018(name: str, category: str) -> KnownDataset:
    return _folder(
        name,
        f"Amazon reviews 2018, {category.replace('_', ' ')}, 5-core",
        _AMAZON_TERMS,
        _AMAZON_2018_PAPER,
        f"{_UCSD}/amazon_v2/categoryFilesSmall/{category}_5.json.gz",
        f"{_UCSD}/amazon_v2/metaFiles2/meta_{category}.json.gz",
    )


def _amazon_2023(name: str, category: str) -> KnownDataset:
    return _folder(
        name,
        f"Amazon reviews 2023, {category.replace('_', ' ')}",
        _AMAZON_TERMS,
        _AMAZON_2023_PAPER,
        f"{_UCSD}/amazon_2023/raw/review_categories/{category}.jsonl.gz",
        f"{_UCSD}/amazon_2023/raw/meta_categories/meta_{category}.jsonl.gz",
    )


_ALL = (
    _movielens(
        "ml-100k",
        "MovieLens 100K",
        "u.data",
        "u.item",
        "u.user",
        "u.genre",
        content_md5={"u.data": "6e47046882bad158b0efbb84cd5cb987"},
    ),
    _movielens("ml-1m", "MovieLens 1M", "ratings.dat", "movies.dat", "users.dat"),
    _movielens("ml-10m", "MovieLens 10M", "ratings.dat", "movies.dat"),
    _movielens_csv("ml-20m", "MovieLens 20M"),
    _movielens_csv("ml-25m", "MovieLens 25M"),
    _movielens_csv("ml-32m", "MovieLens 32M"),
    _movielens_csv("ml-latest", "MovieLens latest (changes over time)"),
    _movielens_csv("ml-latest-small", "MovieLens latest small (changes over time)"),
    KnownDataset(
        name="goodbooks-10k",
        title="goodbooks-10k, release 1.0",
        files=(RemoteFile("https://github.com/zygmuntz/goodbooks-10k/releases/download/v1.0/goodbooks-10k.zip"),),
        licence="CC BY-SA 4.0",
        citation="Z. Zając. 2017. Goodbooks-10k: a new dataset for book recommendations. FastML.",
        unpacked=("ratings.csv", "books.csv"),
    ),
    KnownDataset(
        name="coat",
        title="Coat shopping, chosen and randomly drawn ratings",
        files=(RemoteFile("https://www.cs.cornell.edu/~schnabts/mnar/coat.zip"),),
        licence="none stated; for research (Cornell)",
        citation="T. Schnabel, A. Swaminathan, A. Singh, N. Chandak and T. Joachims. 2016. Recommendations as "
        "Treatments: Debiasing Learning and Evaluation. ICML.",
        unpacked=(
            "train.ascii",
            "test.ascii",
            "item_features.ascii",
            "item_features_map.txt",
            "user_features.ascii",
            "user_features_map.txt",
        ),
    ),
    _folder(
        "gowalla",
        "Gowalla check-ins, split of the LightGCN paper",
        "repository under MIT",
        "X. He, K. Deng, X. Wang, Y. Li, Y. Zhang and M. Wang. 2020. LightGCN: Simplifying and Powering Graph "
        "Convolution Network for Recommendation. SIGIR.",
        "https://raw.githubusercontent.com/kuandeng/LightGCN/master/Data/gowalla/train.txt",
        "https://raw.githubusercontent.com/kuandeng/LightGCN/master/Data/gowalla/test.txt",
    ),
    _folder(
        "ncf-ml-1m",
        "MovieLens 1M, leave-one-out split of the NCF paper",
        _MOVIELENS_TERMS,
        "X. He, L. Liao, H. Zhang, L. Nie, X. Hu and T.-S. Chua. 2017. Neural Collaborative Filtering. WWW.",
        "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data/ml-1m.train.rating",
        "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data/ml-1m.test.rating",
        "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data/ml-1m.test.negative",
    ),
    _folder(
        "amazon-books-2014",
        "Amazon reviews 2014, Books, 5-core",
        _AMAZON_TERMS,
        _AMAZON_2014_PAPER,
        "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/reviews_Books_5.json.gz",
        "https://snap.stanford.edu/data/amazon/productGraph/categoryFiles/meta_Books.json.gz",
    ),
    _amazon_2018("amazon-books-2018", "Books"),
    _amazon_2023("amazon-books-2023", "Books"),
    _amazon_2018("amazon-gift-cards-2018", "Gift_Cards"),
    _amazon_2023("amazon-gift-cards-2023", "Gift_Cards"),
)

DATASETS: dict[str, KnownDataset] = {dataset.name: dataset for dataset in _ALL}
"""Name → data set."""


def licence_of(name: str) -> str:
    """The terms of the data set of that name, `unknown` if it is not a known one."""
    return DATASETS[name].licence if name in DATASETS else "unknown"
