//! Bad input, flag by flag and file by file: an exit code, one line that says what to do, and no earlier output harmed.

#![cfg(unix)]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// Two images of 8 x 8 pixels, and as many labels.
fn idx_images(count: u32) -> Vec<u8> {
    let header = [0x0803, count, 8, 8].map(u32::to_be_bytes);
    let pixels = (0..count * 64).map(|pixel| pixel as u8);
    header.as_flattened().iter().copied().chain(pixels).collect()
}

fn idx_labels(labels: &[u8]) -> Vec<u8> {
    let header = [0x0801, labels.len() as u32].map(u32::to_be_bytes);
    [header.as_flattened(), labels].concat()
}

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// What is done to a good directory to make it bad.
type Change = Box<dyn Fn(&Path)>;

/// A directory with a finished run, data sets good and bad, and everything else that can be in the way.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let path = |name: &str| place.path(name);
        fs::write(path("file"), "no directory").unwrap();
        fs::write(path("empty"), "").unwrap();
        fs::create_dir(path("dir")).unwrap();
        symlink("nowhere", path("broken")).unwrap();
        let made = place.run("train --model mlp-4 --epochs 1 --limit 64 --out done");
        assert!(made.status.success());
        for (data, change) in Self::data_sets() {
            let directory = path(data);
            fs::create_dir(&directory).unwrap();
            for split in ["train", "t10k"] {
                fs::write(directory.join(format!("{split}-images-idx3-ubyte")), idx_images(2)).unwrap();
                fs::write(directory.join(format!("{split}-labels-idx1-ubyte")), idx_labels(&[1, 2])).unwrap();
            }
            change(&directory);
        }
        for (run, change) in Self::runs() {
            let directory = path(run);
            fs::create_dir(&directory).unwrap();
            for file in ["config.toml", "checkpoint.safetensors", "metrics.jsonl"] {
                fs::copy(path("done").join(file), directory.join(file)).unwrap();
            }
            change(&directory);
        }
        place
    }

    /// Data sets by name, and what is wrong with them.
    fn data_sets() -> Vec<(&'static str, Change)> {
        let write = |file: &'static str, content: Vec<u8>| -> Change {
            Box::new(move |directory| fs::write(directory.join(file), &content).unwrap())
        };
        let instead = |file: &'static str, make: fn(&Path)| -> Change {
            Box::new(move |directory| {
                fs::remove_file(directory.join(file)).unwrap();
                make(&directory.join(file));
            })
        };
        let packed = |content: Vec<u8>| -> Change {
            Box::new(move |directory| {
                fs::remove_file(directory.join(IMAGES)).unwrap();
                fs::write(directory.join(IMAGES).with_added_extension("gz"), &content).unwrap();
            })
        };
        let cut = idx_images(2)[..50].to_vec();
        let sets = [
            ("d-good", Box::new(|_: &Path| ()) as Change),
            ("d-empty", write(IMAGES, vec![])),
            ("d-cut", write(IMAGES, cut)),
            ("d-long", write(IMAGES, [idx_images(2), vec![0]].concat())),
            ("d-swapped", write(IMAGES, idx_labels(&[1, 2]))),
            ("d-none", write(IMAGES, idx_images(0))),
            ("d-count", write(LABELS, idx_labels(&[1, 2, 3]))),
            ("d-label", write(LABELS, idx_labels(&[1, 10]))),
            ("d-gzip", packed(b"not packed".to_vec())),
            ("d-bad-gzip", packed(vec![0x1f, 0x8b, 8, 0, 9, 9, 9])),
            ("d-dir", instead(IMAGES, |path| fs::create_dir(path).unwrap())),
            ("d-pipe", instead(IMAGES, pipe)),
            ("d-link", instead(LABELS, |path| symlink("nowhere", path).unwrap())),
            ("d-missing", instead(LABELS, |_| ())),
            ("d-unreadable", instead(IMAGES, |path| unreadable(path, &idx_images(2)))),
            ("d-cifar", write("data_batch_1.bin", vec![0; 3073])),
            ("d-cifar-100", write("train.bin", vec![0; 3074])),
        ];
        sets.into()
    }

    /// Unfinished runs by name, and what is wrong with them.
    fn runs() -> Vec<(&'static str, Change)> {
        let write = |file: &'static str, content: &'static [u8]| -> Change {
            Box::new(move |directory| fs::write(directory.join(file), content).unwrap())
        };
        let replace = |from: &'static str, to: &'static str| -> Change {
            Box::new(move |directory| {
                let text = fs::read_to_string(directory.join("config.toml")).unwrap();
                assert!(text.contains(from), "no {from} in {text}");
                fs::write(directory.join("config.toml"), text.replace(from, to)).unwrap();
            })
        };
        let instead = |file: &'static str, make: fn(&Path)| -> Change {
            Box::new(move |directory| {
                fs::remove_file(directory.join(file)).unwrap();
                make(&directory.join(file));
            })
        };
        let runs = [
            ("c-empty", write("config.toml", b"")),
            ("c-binary", write("config.toml", b"\xff\xfe\0")),
            ("c-type", replace("epochs = 1", "epochs = \"one\"")),
            ("c-range", replace("epochs = 1", "epochs = -1")),
            ("c-zero", replace("epochs = 1", "epochs = 0")),
            ("c-threads", replace("threads = ", "threads = 100000 # ")),
            ("c-no-threads", replace("threads = ", "threads = 0 # ")),
            ("c-rounded", replace("lr = 0.05", "lr = 1e-300")),
            ("c-model", replace("mlp-4", "mlp-four")),
            ("c-unknown", replace("epochs = 1", "epochs = 1\nepoch = 1")),
            ("c-action", replace("\"stop\"", "\"hope\"")),
            ("c-other", replace("seed = 0", "seed = 1")),
            ("c-batches", replace("batch = 64", "batch = []")),
            ("c-batch", replace("batch = 64", "batch = \"64\"")),
            ("c-average", replace("[run.schedule]", "[run.average]\nema = 2.0\n\n[run.schedule]")),
            ("c-method", replace("name = \"sam\"", "name = \"adam\"")),
            ("c-other-rho", replace("rho = 0.2", "rho = 0.2\ngamma = 0.5")),
            ("c-dir", instead("config.toml", |path| fs::create_dir(path).unwrap())),
            ("c-pipe", instead("config.toml", pipe)),
            ("c-link", instead("config.toml", |path| symlink("nowhere", path).unwrap())),
            ("c-unreadable", instead("config.toml", |path| unreadable(path, b"x"))),
            ("p-empty", write("checkpoint.safetensors", b"")),
            ("p-garbage", write("checkpoint.safetensors", b"\x02\0\0\0\0\0\0\0{}")),
            ("p-dir", instead("checkpoint.safetensors", |path| fs::create_dir(path).unwrap())),
            ("p-pipe", instead("checkpoint.safetensors", pipe)),
            ("p-link", instead("checkpoint.safetensors", |path| symlink("nowhere", path).unwrap())),
            ("p-unreadable", instead("checkpoint.safetensors", |path| unreadable(path, b"x"))),
            ("m-dir", instead("metrics.jsonl", |path| fs::create_dir(path).unwrap())),
            ("r-pipe", Box::new(|directory| pipe(&directory.join("result.json")))),
            ("r-empty", write("result.json", b"")),
            ("r-other", write("result.json", b"{\"kind\":\"train\"}")),
        ];
        runs.into()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: &str, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_remove("SAM_DATA");
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(assert_cmd::cargo::cargo_bin!("sam").to_str().unwrap(), arguments).output().unwrap()
    }

    /// Every file, directory and link, with its content.
    fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let (mut found, mut directories) = (BTreeMap::new(), vec![self.0.path().to_owned()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let (path, kind) = (entry.as_ref().unwrap().path(), entry.unwrap().file_type().unwrap());
                if kind.is_dir() {
                    directories.push(path.clone());
                }
                let content = if kind.is_file() { fs::read(&path).unwrap_or_default() } else { vec![] };
                found.insert(path, content);
            }
        }
        found
    }
}

/// A pipe that nobody writes to: who reads it waits for ever.
fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// A file that nobody may read, save a superuser with all of its rights.
fn unreadable(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o0)).unwrap();
}

/// Arguments, exit code, and what the line must say.
type Row = (&'static str, i32, &'static [&'static str]);

/// Values of the wrong type, out of range or missing.
const FLAGS: &[Row] = &[
    ("train --model mlp-0", 2, &["--model", "mlp-0", "expected mlp"]),
    ("train --model mlp-99999999999999999999", 2, &["--model", "up to 65536"]),
    ("train --model transformer", 2, &["--model", "transformer", "wrn-D-K"]),
    ("train --model", 2, &["--model", "value is required"]),
    ("train --epochs many", 2, &["--epochs", "many"]),
    ("train --epochs -1", 2, &["--epochs", "-1"]),
    ("train --epochs 18446744073709551615", 2, &["--epochs", "up to 1000000"]),
    ("train --warmup-epochs 18446744073709551615", 2, &["--warmup-epochs", "up to 1000000"]),
    ("train --batch 1.5", 2, &["--batch", "1.5"]),
    ("train --batch 18446744073709551615", 2, &["--batch", "1200", "smaller"]),
    ("train --batch 32,", 2, &["--batch"]),
    ("train --batch 32,0", 2, &["--batch", "from 1 up", "found 0"]),
    ("train --batch 32,1201", 2, &["--batch 1201", "1200", "smaller"]),
    ("train --epochs 2 --batch 8,16,32", 2, &["--batch", "as many sizes as --epochs", "8,16,32"]),
    ("train --clip-norm 0", 2, &["--clip-norm", "above 0"]),
    ("train --clip-norm nan", 2, &["--clip-norm", "above 0", "NaN"]),
    ("train --clip-norm inf", 2, &["--clip-norm", "above 0", "inf"]),
    ("train --ema 1", 2, &["--ema", "below 1"]),
    ("train --ema -0.5", 2, &["--ema", "from 0 up"]),
    ("train --ema 0.99999999999", 2, &["--ema", "below 1"]),
    ("train --swa-from 0", 2, &["--swa-from", "up to --epochs", "found 0"]),
    ("train --epochs 3 --swa-from 4", 2, &["--swa-from", "up to --epochs", "found 4"]),
    ("train --swa-from soon", 2, &["--swa-from", "soon"]),
    ("train --resume done --ema 0.9", 2, &["--ema"]),
    ("train --resume done --batch 32,64", 2, &["--batch"]),
    ("train --limit 32 --batch 64", 2, &["--batch 64", "32", "smaller"]),
    ("train --limit -3", 2, &["--limit", "-3"]),
    ("train --lr nan", 2, &["--lr", "from 0 up", "NaN"]),
    ("train --lr -0.1", 2, &["--lr", "from 0 up"]),
    ("train --lr 1e39", 2, &["--lr", "from 0 up"]),
    ("train --lr 1e-300", 2, &["--lr", "in single precision", "found 1e-300, which is 0 there"]),
    ("train --rho 1e-300", 2, &["--rho", "in single precision", "found 1e-300, which is 0 there"]),
    ("train --weight-decay 1e-60", 2, &["--weight-decay", "in single precision"]),
    ("train --optimizer wsam --gamma 0.99999999999", 2, &["--gamma", "below 1", "which is 1 there"]),
    ("train --lr ten", 2, &["--lr", "ten"]),
    ("train --rho=-1e-9", 2, &["--rho", "from 0 up"]),
    ("train --rho inf", 2, &["--rho", "from 0 up", "inf"]),
    ("train --norm 0", 2, &["--norm", "[1, inf]"]),
    ("train --norm nan", 2, &["--norm", "[1, inf]"]),
    ("train --norm=-inf", 2, &["--norm", "[1, inf]"]),
    ("train --norm two", 2, &["--norm", "number"]),
    ("train --optimizer adam", 2, &["--optimizer", "adam", "--base adam"]),
    ("train --optimizer sgd --rho 0.1", 2, &["--rho", "--optimizer sam, asam", "--optimizer sgd"]),
    ("train --norm inf --optimizer gsam", 2, &["--norm", "--optimizer sam,", "--optimizer gsam"]),
    ("train --optimizer wsam --alpha 1", 2, &["--alpha", "gsam, look-sam or mixup", "--optimizer wsam"]),
    ("train --eta 0.1", 2, &["--eta", "--optimizer asam", "--optimizer sam"]),
    ("train --m 4", 2, &["--m:", "--optimizer m-sharpness", "--optimizer sam"]),
    ("train --optimizer asam --eta nan", 2, &["--eta", "from 0 up", "NaN"]),
    ("train --optimizer mixup --alpha 0", 2, &["--alpha", "above 0"]),
    ("train --optimizer gsam --alpha inf", 2, &["--alpha", "from 0 up", "inf"]),
    ("train --optimizer wsam --gamma 1", 2, &["--gamma", "below 1"]),
    ("train --optimizer multi-step-sam --steps 0", 2, &["--steps", "from 1 up"]),
    ("train --optimizer multi-step-sam --steps 2.5", 2, &["--steps", "2.5"]),
    ("train --optimizer m-sharpness --m 0", 2, &["--m", "from 1 up"]),
    ("train --optimizer look-sam --k 4294967296", 2, &["--k", "from 1 up to 4294967295"]),
    ("train --optimizer friendly-sam --sigma -1", 2, &["--sigma", "from 0 up"]),
    ("train --optimizer friendly-sam --lambda 1", 2, &["--lambda", "below 1"]),
    ("train --optimizer esam --beta 0", 2, &["--beta", "above 0 to 1"]),
    ("train --resume done --optimizer gsam", 2, &["--optimizer"]),
    ("train --resume done --beta 0.5", 2, &["--beta"]),
    ("train --momentum 0.99999999999", 2, &["--momentum", "below 1", "which is 1 there"]),
    ("train --momentum nan", 2, &["--momentum", "below 1"]),
    ("train --momentum -0.1", 2, &["--momentum", "from 0 up"]),
    ("train --weight-decay nan", 2, &["--weight-decay", "from 0 up"]),
    ("train --label-smoothing nan", 2, &["--label-smoothing", "below 1"]),
    ("train --label-noise -0.1", 2, &["--label-noise", "0 to 1"]),
    ("train --label-noise nan", 2, &["--label-noise", "0 to 1"]),
    ("train --schedule linear", 2, &["--schedule", "cosine"]),
    ("train --augment mixup", 2, &["--augment", "cutout"]),
    ("train --augment autoaugment", 2, &["--augment", "autoaugment-cifar", "randaugment-2-9"]),
    ("train --augment randaugment-0-9", 2, &["--augment", "randaugment-LAYERS-MAGNITUDE"]),
    ("train --augment resized", 2, &["--augment", "--fit centre", "one size"]),
    ("train --train-labels empty", 1, &["empty", "npy"]),
    ("train --train-labels nowhere.npy", 1, &["nowhere.npy", "cannot be read"]),
    ("train --fit centre", 2, &["--fit", "--data to be the path"]),
    ("train --padding reflect", 2, &["--padding", "--augment that crops", "none"]),
    ("train --padding mirror", 2, &["--padding", "zeros or reflect"]),
    (
        "train --augment basic --cutout-size 8",
        2,
        &["--cutout-size", "--augment that erases a square", "basic"],
    ),
    ("train --augment cutout --cutout-size 5000", 2, &["--cutout-size", "up to 4096", "5000"]),
    ("train --augment crop --cutout-at batch", 2, &["--cutout-at", "--augment that erases a square"]),
    ("train --augment cutout --policy-scale sam", 2, &["--policy-scale", "--augment with a policy"]),
    ("train --seed 18446744073709551615", 2, &["--seed", "below 2^63"]),
    ("train --seed -1", 2, &["--seed", "-1"]),
    ("train --threads 99999", 2, &["--threads", "up to 1024"]),
    ("train --threads two", 2, &["--threads", "up to 1024"]),
    ("train --picture-cache 0", 2, &["--picture-cache", "a number from 1 up to 16777216"]),
    ("train --on-nonfinite hope", 2, &["--on-nonfinite", "stop, skip or rollback"]),
    ("train --data mnist-2", 2, &["--data", "fashion-mnist"]),
    ("train --data-dir", 2, &["--data-dir", "value is required"]),
    ("train --resume done --out other", 2, &["--resume", "--out"]),
    ("train --resume done --rho 0.1", 2, &["--rho"]),
    ("train extra", 2, &["extra"]),
    ("compare --seeds 18446744073709551615", 2, &["--seeds", "up to 10000"]),
    ("compare --sgd-epochs 18446744073709551615", 2, &["--sgd-epochs", "up to 1000000"]),
    ("compare --label-noise 0,x", 2, &["--label-noise", "x"]),
    ("compare --label-noise ,", 2, &["--label-noise"]),
    ("compare --evaluate-every 0", 2, &["--evaluate-every"]),
    ("bench --image 4294967296x4294967296x4294967296", 2, &["--image", "28x28x1", "16777216"]),
    ("bench --image 0x8x1", 2, &["--image", "28x28x1"]),
    ("bench --image 8x8", 2, &["--image", "28x28x1"]),
    ("bench --batch 0", 2, &["--batch", "from 1 up"]),
    ("bench --rho nan", 2, &["--rho", "from 0 up"]),
];

/// Files and directories that are not what they should be.
const FILES: &[Row] = &[
    ("train --out file", 1, &["file", "cannot be"]),
    ("train --out file/r", 1, &["file/r", "cannot be created"]),
    ("train --out broken", 1, &["broken", "cannot be"]),
    ("train --out broken/r", 1, &["broken/r", "cannot be"]),
    ("train --out /proc/r", 1, &["/proc/r", "cannot be created"]),
    ("train --out done", 2, &["done", "--resume"]),
    ("compare --seeds 1 --epochs 1 --out file", 1, &["file", "cannot be created"]),
    ("train --data mnist --data-dir file", 1, &["mnist not found in file", "--data-dir"]),
    ("train --data mnist --data-dir broken", 1, &["mnist not found in broken", "--data-dir"]),
    ("train --data mnist --data-dir dir", 1, &["mnist not found in dir", "--data-dir"]),
    ("train --data mnist --batch 3 --data-dir d-good", 2, &["--batch 3", "2 training images", "smaller"]),
    ("train --data mnist --data-dir d-empty", 1, &[IMAGES, "expected 4 bytes", "download it again"]),
    (
        "train --data mnist --data-dir d-cut",
        1,
        &[IMAGES, "expected 144 bytes", "after 50", "download it again"],
    ),
    ("train --data mnist --data-dir d-long", 1, &[IMAGES, "expected 144 bytes, found more"]),
    ("train --data mnist --data-dir d-swapped", 1, &[IMAGES, "00000803", "00000801", "another file"]),
    ("train --data mnist --data-dir d-none", 1, &[IMAGES, "[0, 8, 8]"]),
    ("train --data mnist --data-dir d-count", 1, &[LABELS, "as many labels", "(2), found 3"]),
    ("train --data mnist --data-dir d-label", 1, &[LABELS, "0 to 9, found 10 at position 1"]),
    ("train --data mnist --data-dir d-gzip", 1, &[".gz", "1f 8b", "6e 6f", "download it again"]),
    ("train --data mnist --data-dir d-bad-gzip", 1, &[".gz", "expected 4 bytes", "download it again"]),
    ("train --data mnist --data-dir d-dir", 1, &[IMAGES, "directory"]),
    ("train --data mnist --data-dir d-pipe", 1, &[IMAGES, "regular file", "pipe"]),
    ("train --data mnist --data-dir d-link", 1, &[LABELS, "cannot be read", "No such file"]),
    ("train --data mnist --data-dir d-missing", 1, &[LABELS, "no such file"]),
    ("train --data cifar-10 --data-dir d-cifar", 1, &["data_batch_1.bin", "30730000", "3073"]),
    ("train --data cifar-100 --data-dir d-cifar-100", 1, &["train.bin", "153700000", "3074"]),
    (
        "train --backend cuda --optimizer esam",
        1,
        &["--backend cuda", "expected one of sgd, sam, asam, m-sharpness, gsam", "found esam"],
    ),
    ("train --resume c-batches", 1, &["c-batches/config.toml", "at least one batch size", "--out"]),
    ("train --resume c-batch", 1, &["c-batch/config.toml", "a number of images, or a list", "--out"]),
    ("train --resume c-average", 1, &["c-average/config.toml", "--ema", "below 1"]),
    ("train --resume c-method", 1, &["c-method/config.toml", "adam", "--out"]),
    ("train --resume c-other-rho", 1, &["c-other-rho/config.toml", "gamma", "--out"]),
    ("train --resume dir", 1, &["dir", "config.toml", "sam train --out"]),
    ("train --resume file", 1, &["file", "config.toml"]),
    ("train --resume broken", 1, &["broken", "config.toml"]),
    ("train --resume c-empty", 1, &["c-empty/config.toml", "line 1", "--out"]),
    ("train --resume c-binary", 1, &["c-binary/config.toml", "cannot be read"]),
    ("train --resume c-type", 1, &["c-type/config.toml", "string", "--out"]),
    ("train --resume c-range", 1, &["c-range/config.toml", "-1"]),
    ("train --resume c-zero", 1, &["c-zero/config.toml", "epochs", "from 1 up"]),
    ("train --resume c-threads", 1, &["c-threads/config.toml", "threads", "from 1 up to 1024, found 100000"]),
    (
        "train --resume c-no-threads",
        1,
        &["c-no-threads/config.toml", "threads", "from 1 up to 1024, found 0"],
    ),
    ("train --resume c-rounded", 1, &["c-rounded/config.toml", "lr", "in single precision"]),
    ("train --resume c-model", 1, &["c-model/config.toml", "expected mlp"]),
    ("train --resume c-unknown", 1, &["c-unknown/config.toml", "epoch"]),
    ("train --resume c-action", 1, &["c-action/config.toml", "rollback"]),
    (
        "train --resume c-other",
        1,
        &["c-other/checkpoint.safetensors: seed: expected 1, found 0", "another run"],
    ),
    ("train --resume c-dir", 1, &["c-dir/config.toml", "cannot be read"]),
    ("train --resume c-pipe", 1, &["c-pipe/config.toml", "regular file", "pipe"]),
    ("train --resume c-link", 1, &["c-link/config.toml", "cannot be read"]),
    ("train --resume p-empty", 1, &["p-empty/checkpoint.safetensors", "layout", "delete it"]),
    ("train --resume p-garbage", 1, &["p-garbage/checkpoint.safetensors", "delete it"]),
    ("train --resume p-dir", 1, &["p-dir/checkpoint.safetensors", "cannot be read"]),
    ("train --resume p-pipe", 1, &["p-pipe/checkpoint.safetensors", "regular file", "pipe"]),
    ("train --resume p-link", 1, &["p-link/checkpoint.safetensors", "cannot be read"]),
    // A file that somebody names is not the run's, and nothing is to be deleted.
    (
        "finetune --init p-garbage/checkpoint.safetensors --seeds 1 --epochs 1",
        1,
        &["p-garbage/checkpoint.safetensors", "name a checkpoint"],
    ),
    ("train --resume m-dir", 1, &["m-dir/metrics.jsonl", "cannot be written"]),
    ("train --resume r-pipe", 1, &["r-pipe/result.json", "regular file", "pipe"]),
    ("train --resume r-empty", 1, &["r-empty/result.json", "delete it and resume"]),
    ("train --resume r-other", 1, &["r-other/result.json", "delete it and resume"]),
    // Too large for any machine; nothing is allocated.
    (
        "train --model wrn-1000-32 --out huge",
        1,
        &["wrn-1000-32", "needs at least", "MiB are available", "smaller"],
    ),
    ("compare --model wrn-1000-32 --out huge", 1, &["wrn-1000-32", "needs at least", "smaller"]),
    ("bench --model mlp --batch 99999999999999", 1, &["--batch 99999999999999", "needs at least", "smaller"]),
];

/// What only somebody without a superuser's rights meets.
const PERMISSIONS: &[Row] = &[
    ("train --data mnist --data-dir d-unreadable", 1, &[IMAGES, "Permission denied"]),
    ("train --resume c-unreadable", 1, &["c-unreadable/config.toml", "Permission denied"]),
    ("train --resume p-unreadable", 1, &["p-unreadable/checkpoint.safetensors", "Permission denied"]),
    ("train --out dir/r", 1, &["dir/r", "Permission denied"]),
    ("compare --seeds 1 --epochs 1 --out dir/c", 1, &["dir/c", "Permission denied"]),
];

/// What is not as the row says.
fn problem((arguments, code, words): &Row, output: &Output) -> Option<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Of bad usage the argument parser says more behind the first line.
    let one_line = *code == 2 || stderr.lines().count() == 1;
    let said = stderr.starts_with("error: ") && one_line && words.iter().all(|word| stderr.contains(word));
    let right = said && output.status.code() == Some(*code) && output.stdout.is_empty();
    let found = output.status;
    (!right).then(|| format!("{arguments}: expected code {code} and {words:?}, found {found}: {stderr}"))
}

/// Runs every row, and makes sure that each is refused as it says and changes nothing.
fn assert_rows<'a>(place: &Place, rows: impl Iterator<Item = &'a Row>, run: impl Fn(&str) -> Output) {
    let before = place.everything();
    let mut problems = Vec::new();
    for row in rows {
        problems.extend(problem(row, &run(row.0)));
        assert!(place.everything() == before, "{} has changed something", row.0);
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_bad_flag_and_file_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    assert_rows(&place, FLAGS.iter().chain(FILES), |arguments| place.run(arguments));
}

#[test]
fn what_may_not_be_read_or_written_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    let dir = place.path("dir");
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o555)).unwrap();
    let sam = assert_cmd::cargo::cargo_bin!("sam").to_str().unwrap().to_owned();
    // A superuser reads and writes everything, unless that right is taken away.
    let without = "--bounding-set=-dac_override,-dac_read_search --inh-caps=-dac_override,-dac_read_search";
    let all_powerful = fs::read(place.path("d-unreadable").join(IMAGES)).is_ok();
    if all_powerful
        && !place.command("setpriv", &format!("{without} true")).status().is_ok_and(|s| s.success())
    {
        eprintln!("skipped: run by a superuser, and there is no setpriv to take rights away");
        return;
    }
    assert_rows(&place, PERMISSIONS.iter(), |arguments| {
        if all_powerful {
            place.command("setpriv", &format!("{without} {sam} {arguments}")).output().unwrap()
        } else {
            place.run(arguments)
        }
    });
}

#[test]
fn a_run_that_does_not_fit_into_the_process_s_limit_is_refused_before_it_starts() {
    let place = Place::new();
    // 68 million parameters in 10 vectors of 4 bytes; the limit is counted in KiB.
    const LARGE: Row = (
        "train --model mlp-8192-8192 --out large --threads 1",
        1,
        &["needs at least 2592 MiB", "MiB are available", "smaller"],
    );
    let sam = assert_cmd::cargo::cargo_bin!("sam").display().to_string();
    assert_rows(&place, [&LARGE].into_iter(), |arguments| {
        let script = format!("ulimit -v 1000000; exec {sam} {arguments}");
        Command::new("bash").args(["-c", &script]).current_dir(place.0.path()).output().unwrap()
    });
}

/// The estimate is a lower bound: a run that is begun may still meet the limit. The limits go from where it is refused beforehand
/// to where it is done.
#[test]
fn a_run_whose_memory_runs_out_fails_as_others_do() {
    let place = tempfile::tempdir().unwrap();
    let sam = assert_cmd::cargo::cargo_bin!("sam").display().to_string();
    let mut on_the_way = 0;
    for limit in (4..=12).map(|i| 20_000 * i) {
        let run = "train --model mlp-1500-1500 --epochs 1 --limit 64 --batch 32 --threads 1 --quiet";
        let script = format!("ulimit -v {limit}; exec {sam} {run} --out r{limit}");
        let mut shell = Command::new("bash");
        shell.args(["-c", &script]).current_dir(place.path()).env_remove("RUST_BACKTRACE");
        let output = shell.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let refused = text.contains("needs at least");
        match output.status.code() {
            Some(0) => {}
            Some(1) if refused || text.starts_with("memory allocation of ") => {}
            Some(1) => assert!(text.starts_with("error: "), "{limit} KiB: {text}"),
            _ => panic!("{limit} KiB: {}: {text}", output.status),
        }
        on_the_way += usize::from(!output.status.success() && !refused);
    }
    assert!(on_the_way > 0, "each run was refused before its start, or done");
}

#[test]
fn output_that_cannot_be_written_fails_the_command() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let place = Place::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let sam = assert_cmd::cargo::cargo_bin!("sam").to_str().unwrap().to_owned();
    let output = place.command(&sam, "train --resume done").stdout(full).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("stdout: cannot be written: No space left"), "{stderr}");
}
