import type { Shape } from "../engine/tensor.ts";
import type { Scale } from "./dataset.ts";

/** A file to download, known by its hash. */
export interface RemoteFile {
  name: string;
  bytes: number;
  sha256: string;
}

/** A data set that `loadDataset` knows by name and fetches when it is not on disk. */
export interface RemoteDataset {
  name: string;
  classes: string[];
  inputShape: Shape;
  /** Measured on the training images, see {@link Scale}. */
  scale: Scale;
  /** Folders that hold the files, tried in this order. */
  mirrors: string[];
  files: RemoteFile[];
  /** Who made it, and on what terms. */
  credit: string;
}

/** The files of MNIST and its relatives: training images and labels, test images and labels. */
export const IDX_FILES = [
  "train-images-idx3-ubyte",
  "train-labels-idx1-ubyte",
  "t10k-images-idx3-ubyte",
  "t10k-labels-idx1-ubyte",
] as const;

const mnist: RemoteDataset = {
  name: "mnist",
  classes: Array.from("0123456789"),
  inputShape: [1, 28, 28],
  scale: { mean: [0.1307], std: [0.3081] },
  mirrors: [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
  ],
  files: [
    {
      name: "train-images-idx3-ubyte.gz",
      bytes: 9912422,
      sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    },
    {
      name: "train-labels-idx1-ubyte.gz",
      bytes: 28881,
      sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    },
    {
      name: "t10k-images-idx3-ubyte.gz",
      bytes: 1648877,
      sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    },
    {
      name: "t10k-labels-idx1-ubyte.gz",
      bytes: 4542,
      sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
  ],
  credit: "LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86(11), 1998; CC BY-SA 3.0",
};

const fashionMnist: RemoteDataset = {
  name: "fashion-mnist",
  classes: [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
  ],
  inputShape: [1, 28, 28],
  scale: { mean: [0.286], std: [0.353] },
  mirrors: [
    // This kind of address has no https; the hash is what is trusted.
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
  ],
  files: [
    {
      name: "train-images-idx3-ubyte.gz",
      bytes: 26421880,
      sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    },
    {
      name: "train-labels-idx1-ubyte.gz",
      bytes: 29515,
      sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    },
    {
      name: "t10k-images-idx3-ubyte.gz",
      bytes: 4422102,
      sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    },
    {
      name: "t10k-labels-idx1-ubyte.gz",
      bytes: 5148,
      sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
  ],
  credit: "Xiao, Rasul, Vollgraf, arXiv:1708.07747; MIT, © 2017 Zalando SE",
};

const cifar10: RemoteDataset = {
  name: "cifar10",
  classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
  inputShape: [3, 32, 32],
  scale: { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] },
  mirrors: ["https://www.cs.toronto.edu/~kriz/"],
  files: [
    {
      name: "cifar-10-binary.tar.gz",
      bytes: 170052171,
      sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    },
  ],
  credit:
    "Krizhevsky, Learning multiple layers of features from tiny images, 2009; free to use with citation",
};

export const REMOTE_DATASETS: readonly RemoteDataset[] = [mnist, fashionMnist, cifar10];

/** Every name that `loadDataset` knows. */
export const DATASET_NAMES: readonly string[] = [...REMOTE_DATASETS.map((d) => d.name), "glyphs"];
