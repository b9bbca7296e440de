//! Arguments that several commands take, and what they mean.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    str::FromStr,
    thread,
};

use super::method::BaseArgs;
use crate::{
    data::{
        Augment, AugmentDetails, ByteScale, CutoutAt, DataSource, Padding, Scale, UnknownDataSource,
        own::{FileSettings, Fit, OnBroken, PixelSize},
    },
    ranks::Ranks,
    training::{
        backend::{Backend, BackendName},
        config::Machine,
        kernel_choice::KernelChoice,
        last_batch::LastBatch,
        learner::LearnerError,
        method::default_radius,
        overlap::Overlap,
        precision::Precision,
        settings::{
            AscentSettings, BatchSizes, DataSettings, DecayIn, InvalidSetting, Method, Model, NormExponent,
            RadiusShape, ScheduleSettings, ScheduleShape, Settings, SgdSettings, Tensors,
        },
        shard_state::ShardState,
    },
};
use clap::{Args, ValueEnum};
use sam_core::Norm;
use sam_model::Initialization;

/// What is learned from.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub struct DataArgs {
    /// digits (embedded), mnist, fashion-mnist, cifar-10, cifar-100, svhn, svhn-extra, or the path of files of your own, which `sam data PATH` shows:
    /// class folders of PNG and JPEG, CSV, Parquet, .npy and .npz, IDX, CIFAR's binary files.
    #[arg(long, value_name = "NAME|PATH", default_value = "digits")]
    pub data: DataChoice,

    /// Directory of the data set, or of data sets by name [default: `$SAM_DATA`, then /usr/share/datasets]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Keep up to MIB mebibytes of decoded pictures in a temporary file (in $TMPDIR), instead of decoding them anew each time: of pictures that
    /// stay in their files (--fit centre). Results do not depend on it [default: none, or as the resumed run]
    #[arg(long, value_name = "MIB", value_parser = parse_picture_cache)]
    pub picture_cache: Option<usize>,

    #[command(flatten)]
    pub files: FileArgs,

    /// Hold out this share of each class of the training images and evaluate on it in the place of the test set.
    #[arg(long, value_name = "SHARE")]
    pub validation: Option<f64>,

    /// Labels for the training images in the place of those that they have: a .npy file of as many class numbers or names, in the order
    /// of the data set; such as the labels that people gave CIFAR's images (docs/data.md).
    #[arg(long, value_name = "FILE")]
    pub train_labels: Option<PathBuf>,

    /// Mix the images of a batch in pairs, and their labels (mixup), at shares drawn from Beta(ALPHA, ALPHA), whatever the --optimizer; each
    /// gradient costs two then. Of second-order-sam and on a GPU there is none.
    #[arg(long, value_name = "ALPHA")]
    pub mixup: Option<f64>,

    /// Use only the first N training images; of your own files these have all classes in their shares.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,

    /// none, crop (pad by 4, crop at random), basic (crop, and a mirror), cutout (basic, and a square erased), resized or
    /// resized-POLICY (a random part of each picture, with --fit centre), or a policy and then cutout: autoaugment-cifar, autoaugment-cifar-95, autoaugment-svhn (whose images are not mirrored and cropped),
    /// autoaugment-imagenet, randaugment-LAYERS-MAGNITUDE.
    #[arg(long, default_value = "none")]
    pub augment: Augment,

    #[command(flatten)]
    pub details: AugmentArgs,

    /// What bytes are standardised by: data (mean and deviation of the training images), imagenet, lite (127 and 128) or mnist. Weights that
    /// were trained elsewhere want what they were trained with.
    #[arg(long, value_name = "SCALE", default_value_t)]
    pub standardize: ByteScale,
}

/// How an augmentation is done.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Data")]
pub struct AugmentArgs {
    /// What is padded with before the crop: zeros (the mean), or reflect (the image mirrored, as SAM's authors do).
    #[arg(long, value_name = "zeros|reflect", default_value_t)]
    pub padding: Padding,

    /// What has one place for the erased square: image, or batch (as SAM's authors do).
    #[arg(long, value_name = "image|batch", default_value_t)]
    pub cutout_at: CutoutAt,

    /// Side of the erased square in pixels, 0 for none [default: half the width]
    #[arg(long, value_name = "PIXELS")]
    pub cutout_size: Option<usize>,

    /// What a policy's levels stand for: autoaugment (translations up to 10 pixels) or sam (up to 250, as SAM's authors have it).
    #[arg(long, value_name = "autoaugment|sam", default_value_t)]
    pub policy_scale: Scale,
}

impl From<AugmentArgs> for AugmentDetails {
    fn from(args: AugmentArgs) -> Self {
        let AugmentArgs { padding, cutout_at, cutout_size, policy_scale } = args;
        Self { padding, cutout_at, cutout_size, policy_scale }
    }
}

/// How files of one's own are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data of your own")]
pub struct FileArgs {
    /// Bring pictures to this height and width (scaled until they cover it, cut evenly), or take rows of numbers for images of it
    /// [default: their own size if it is one, else 32x32]
    #[arg(long, value_name = "HxW")]
    pub size: Option<PixelSize>,

    /// How pictures get that size: cover (scaled until they cover it, cut evenly), or centre (the middle by bicubic interpolation, as
    /// usual for ImageNet, at 224x224 if --size says nothing; they stay in their files, and --augment resized takes a random part).
    #[arg(long, value_name = "cover|centre", default_value_t)]
    pub fit: Fit,

    /// Make colours grey.
    #[arg(long)]
    pub grey: bool,

    /// The column of a table that holds the labels, by name or by number from 1; of CIFAR-100's files `coarse` or `fine`.
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,

    /// Share of each class that is held out for testing if the files have no test set [default: 0.2]
    #[arg(long, value_name = "SHARE")]
    pub test_share: Option<f64>,

    /// What is done about a picture or a row that cannot be read: stop, or skip it and count.
    #[arg(long, value_name = "ACTION", default_value = "stop")]
    pub broken: OnBroken,

    /// What a packed file may unpack to [default: 256, or a hundred times its size if that is more]
    #[arg(long, value_name = "MIB")]
    pub unpack_limit: Option<u32>,
}

impl FileArgs {
    /// How the files at `path` are read.
    pub fn settings(&self, path: &Path) -> FileSettings {
        let Self { size, fit, grey, label, test_share, broken, unpack_limit } = self.clone();
        FileSettings { size, fit, grey, label, test_share, broken, unpack_limit, ..FileSettings::of(path) }
    }

    /// Makes sure that nothing is asked of files that are not one's own.
    fn check_unused(&self) -> Result<(), InvalidSetting> {
        let Self { size, fit, grey, label, test_share, broken, unpack_limit } = self;
        let given = [
            ("size", size.is_some()),
            ("fit", *fit != Fit::Cover),
            ("grey", *grey),
            ("label", label.is_some()),
            ("test-share", test_share.is_some()),
            ("broken", *broken != OnBroken::Stop),
            ("unpack-limit", unpack_limit.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(InvalidSetting::new(
                name,
                "`data` to be the path of files of your own",
                "a data set by name",
            )),
            None => Ok(()),
        }
    }
}

/// A data set by name, or files by their path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataChoice {
    /// By name.
    Named(DataSource),
    /// By path.
    Files(PathBuf),
}

impl FromStr for DataChoice {
    type Err = UnknownDataSource;

    fn from_str(text: &str) -> Result<Self, UnknownDataSource> {
        match text.parse() {
            Ok(source) => Ok(Self::Named(source)),
            Err(_) if Path::new(text).exists() => Ok(Self::Files(text.into())),
            Err(unknown) => Err(unknown),
        }
    }
}

impl DataArgs {
    /// Makes sure that the arguments go together.
    ///
    /// # Errors
    /// [`InvalidSetting`] for one that does not.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        match (&self.data, &self.data_dir) {
            (DataChoice::Named(_), _) => self.files.check_unused(),
            (DataChoice::Files(path), Some(directory)) => {
                let expected = format!("nothing beside the path {} in `data`", path.display());
                Err(InvalidSetting::new("data-dir", expected, directory.display()))
            }
            (DataChoice::Files(_), None) => Ok(()),
        }
    }

    /// What is learned from.
    pub fn settings(&self, label_noise: f64) -> DataSettings {
        let Self { limit, augment, details, standardize, validation, mixup, .. } = *self;
        let augment_details = details.into();
        // A run may be resumed from another folder.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let train_labels = self.train_labels.as_ref().map(absolute);
        let (name, files) = match &self.data {
            DataChoice::Named(source) => (*source, None),
            DataChoice::Files(path) => (DataSource::Files, Some(self.files.settings(path))),
        };
        DataSettings {
            name,
            limit,
            label_noise,
            train_labels,
            augment,
            augment_details,
            mixup,
            standardize,
            validation,
            files,
        }
    }

    /// Where it lies, if not in its usual places.
    pub fn place(&self) -> Option<PathBuf> {
        match &self.data {
            DataChoice::Named(_) => self.data_dir.clone(),
            DataChoice::Files(path) => Some(path.clone()),
        }
    }
}

/// The network and how it is trained.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainingArgs {
    /// A network by its name: mlp, lenet, wrn-16-4, shake-shake-26-2x32d, ...; `sam models` lists them. Or a .toml file of layers of your
    /// own, which `sam models FILE` shows (docs/own-networks.md).
    #[arg(long, value_name = "NAME|FILE", default_value = "mlp-128-64")]
    pub model: Model,

    /// How weights start: he-fan-in, he-fan-out, lecun or truncated-fan-out [default: as the network's authors have it]
    #[arg(long, value_name = "NAME")]
    pub init: Option<Initialization>,

    /// Compute activations again in the backward pass instead of keeping them: another forward pass for less memory, and the same
    /// weights.
    #[arg(long)]
    pub checkpoint_activations: bool,

    /// Passes over the training images.
    #[arg(long, default_value_t = Settings::EPOCHS)]
    pub epochs: usize,

    /// Images a step, or several numbers with commas between, each for an equal part of the epochs [default: 64 on
    /// digits, 32 on files of your own, 128 on larger data sets]
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    pub batch: Vec<usize>,

    /// What becomes of the images left over at the end of an epoch: drop, or keep as a smaller batch.
    #[arg(long, value_name = "drop|keep", default_value_t = LastBatch::Drop)]
    pub last_batch: LastBatch,

    /// Cut each batch into N groups, which the processes of `mpirun` share out, as many as a power of two. Sums go along a tree
    /// over the groups, so that the number of processes changes no bit; batch normalisation goes by group. With m-sharpness
    /// each group climbs by itself and N is --batch / --m [default: that, or a group for each of several processes]
    #[arg(long, value_name = "N")]
    pub groups: Option<usize>,

    #[command(flatten)]
    pub base: BaseArgs,

    /// Highest learning rate [default: for sgd 0.1 of resnet and wrn, whose batch normalisation bears it, 0.02 of shake-shake and
    /// wrn-D-K-nobn, 0.05 of others; for adam, adamw, rmsprop and rmsprop-tf 0.001, for lion 0.0003]
    #[arg(long)]
    pub lr: Option<f64>,

    /// Momentum, of sgd and both rmsprop [default: 0.9]
    #[arg(long)]
    pub momentum: Option<f64>,

    /// Use plain instead of Nesterov momentum, of sgd.
    #[arg(long)]
    pub no_nesterov: bool,

    /// Weight decay [default: 0.0005 for sgd, 0 for adam, 0.01 for adamw, 0.00001 for both rmsprop, 0.1 for lion]
    #[arg(long)]
    pub weight_decay: Option<f64>,

    /// Shrink the weights themselves instead of adding weight decay to the gradient, of sgd; adamw and lion always do.
    #[arg(long)]
    pub decoupled: bool,

    /// What weight decay pulls towards zero: all, or weights (neither biases nor normalisations).
    #[arg(long, value_name = "all|weights", default_value_t)]
    pub decay_on: Tensors,

    /// Where weight decay acts: base (added at the weights by the base optimizer), or loss (0.5 X |w|^2 is a term of the loss that both
    /// passes of SAM differentiate, as in the code of its paper).
    #[arg(long, value_name = "base|loss", default_value_t)]
    pub decay_in: DecayIn,

    /// Cut the gradient that the base optimizer follows down to this Euclidean length if it is longer, before weight decay
    /// is added, unless --decay-in is loss. The ascent has its own length, --rho [default: never]
    #[arg(long, value_name = "C")]
    pub clip_norm: Option<f64>,

    /// Learning rate over time: a half cosine down to 0, a fifth after 30, 60 and 90 % of the steps, or constant.
    #[arg(long, value_enum, default_value_t = ScheduleArg::Cosine)]
    pub schedule: ScheduleArg,

    /// Epochs over which the learning rate rises at the start.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub warmup_epochs: usize,

    /// Share of each target that is spread over all classes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub label_smoothing: f64,

    /// Seed of initial weights, order of images, augmentation and label noise.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Where and when a method perturbs the weights.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Method")]
pub struct AscentArgs {
    /// The first epoch, from 1, that climbs; before it the plain gradient is followed, at SGD's price.
    #[arg(long, value_name = "EPOCH", default_value_t = 1)]
    pub rho_from: usize,

    /// Epochs over which the radius rises, counted from --rho-from: helps where a network does not leave its start.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rho_warmup_epochs: usize,

    /// Radius over time: constant, linear or cosine (down to 0), or rate (in proportion to the learning rate).
    #[arg(long, value_name = "SHAPE", default_value_t)]
    pub rho_schedule: RadiusShape,

    /// What is perturbed and counts in the norm: all, or weights (neither biases nor normalisations).
    #[arg(long, value_name = "all|weights", default_value_t)]
    pub perturb: Tensors,
}

/// SAM's rule, where it is the method.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Training")]
pub struct SamArgs {
    /// SAM's radius; the paper tries 0.01 to 0.5 [default: 0.2 for mlp, else 0.05; `sam tune` finds one]
    #[arg(long)]
    pub rho: Option<f64>,

    /// The norm the radius is measured in: 2, inf, 1, or any p between.
    #[arg(long, value_name = "P", default_value = "2")]
    pub norm: NormExponent,

    /// Images that share a perturbation: SAM's gradient is the mean of those of groups of M images, as on devices with M images each.
    /// The paper has 32 of 256 on CIFAR [default: the whole batch]
    #[arg(long, value_name = "M")]
    pub m: Option<usize>,
}

/// The shape of the learning rate over time.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ScheduleArg {
    /// Half a cosine.
    Cosine,
    /// In steps.
    Step,
    /// Constant.
    Constant,
}

/// What computes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// cpu, or cuda: an NVIDIA GPU [default: cpu, or what the resumed run last ran on]
    #[arg(long, value_name = "NAME")]
    pub backend: Option<BackendName>,

    /// Which GPU, as the driver counts them from 0 on; of several processes the first of a machine has it, the others those behind it
    /// [default: 0, or as the resumed run]
    #[arg(long, value_name = "N")]
    pub device: Option<u32>,

    /// What a GPU multiplies in: f32, or on tensor cores tf32 or bf16 [default: f32, or as the resumed run]
    #[arg(long, value_name = "NAME")]
    pub precision: Option<Precision>,

    /// Whose kernels a GPU multiplies with: native, ours; vendor, NVIDIA's cuBLASLt and cuDNN; auto, for each product NVIDIA's
    /// if they are there, agree with ours and are faster [default: auto, or as the resumed run]
    #[arg(long, value_name = "NAME")]
    pub kernels: Option<KernelChoice>,

    /// Threads that compute; results do not depend on it [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    pub threads: Option<NonZeroUsize>,
}

fn parse_picture_cache(text: &str) -> Result<usize, String> {
    let allowed = |limit: &usize| Machine::PICTURE_CACHE.check_whole("picture-cache", *limit).is_ok();
    text.parse().ok().filter(allowed).ok_or_else(|| format!("expected {}", Machine::PICTURE_CACHE.text()))
}

fn parse_threads(text: &str) -> Result<NonZeroUsize, String> {
    let allowed = |threads: &NonZeroUsize| Machine::THREADS.check_whole("threads", threads.get()).is_ok();
    let threads = text.parse().ok().filter(allowed);
    threads.ok_or_else(|| format!("expected {}", Machine::THREADS.text()))
}

impl MachineArgs {
    /// The number of threads.
    pub fn threads(&self) -> usize {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        self.threads.unwrap_or_else(cores).get()
    }

    /// The number of threads of one of these `ranks`: what was asked for, else its share of the cores of its machine.
    pub fn threads_on(&self, ranks: &dyn Ranks) -> usize {
        let share = || (self.threads() / ranks.on_this_machine()).max(1);
        self.threads.map_or_else(share, NonZeroUsize::get)
    }

    /// The backend as the arguments describe it for one of these `ranks`, with so many threads for each network.
    ///
    /// # Errors
    /// [`LearnerError`], when the machine does not have what was asked for.
    pub fn open_on(&self, threads: usize, ranks: &dyn Ranks) -> Result<Backend, LearnerError> {
        let (name, device) = (self.backend.unwrap_or_default(), self.device.unwrap_or_default());
        Backend::open_on(name, device, threads, ranks)?
            .with_precision(self.precision.unwrap_or_default())?
            .with_kernels(self.kernels.unwrap_or_default())
    }

    /// The machine, with the data's place.
    pub fn machine(&self, data: &DataArgs) -> Machine {
        Machine {
            backend: self.backend.unwrap_or_default(),
            device: self.device.unwrap_or_default(),
            precision: self.precision.unwrap_or_default(),
            kernels: self.kernels.unwrap_or_default(),
            overlap: Overlap::default(),
            shard_state: ShardState::default(),
            threads: self.threads(),
            data_dir: data.place(),
            picture_cache: data.picture_cache,
        }
    }
}

impl SamArgs {
    /// SAM as the arguments describe it, with the radius that `model` bears where none is given.
    pub fn method(&self, model: &Model) -> Method {
        let rho = self.rho.unwrap_or_else(|| default_radius(model));
        match self.m {
            Some(m) => Method::MSharpness { rho, m },
            None => Method::Sam { rho, norm: self.norm },
        }
    }

    /// Makes sure that the arguments go together.
    ///
    /// # Errors
    /// [`InvalidSetting`] for one that does not.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        match self.m {
            Some(_) if self.norm.0 != Norm::L2 => {
                Err(InvalidSetting::new("norm", "2, the norm of groups of `m` images", self.norm))
            }
            _ => Ok(()),
        }
    }
}

impl AscentArgs {
    /// The settings that they describe.
    pub fn settings(&self) -> AscentSettings {
        let Self { rho_from, rho_warmup_epochs, rho_schedule, perturb } = *self;
        AscentSettings {
            from_epoch: rho_from,
            warmup_epochs: rho_warmup_epochs,
            schedule: rho_schedule,
            tensors: perturb,
        }
    }
}

impl TrainingArgs {
    /// The settings of a run.
    ///
    /// # Errors
    /// [`InvalidSetting`], when a hyper-parameter is given that the base optimizer does not have. Ranges are not checked.
    pub fn settings(
        &self,
        data: &DataArgs,
        method: Method,
        label_noise: f64,
    ) -> Result<Settings, InvalidSetting> {
        let data = data.settings(label_noise);
        let usual = Settings::new(self.model.clone(), data.name, method);
        let base = self.base.choice()?;
        let sgd = base.usual(usual.sgd);
        Ok(Settings {
            seed: self.seed,
            init: self.init,
            groups: self.groups,
            checkpoint_activations: self.checkpoint_activations,
            epochs: self.epochs,
            batch: BatchSizes::try_from(self.batch.clone()).unwrap_or(usual.batch),
            last_batch: self.last_batch,
            label_smoothing: self.label_smoothing,
            data,
            base,
            sgd: SgdSettings {
                lr: self.lr.unwrap_or(sgd.lr),
                momentum: self.momentum.unwrap_or(sgd.momentum),
                nesterov: sgd.nesterov && !self.no_nesterov,
                weight_decay: self.weight_decay.unwrap_or(sgd.weight_decay),
                decoupled: self.decoupled,
                decay_on: self.decay_on,
                decay_in: self.decay_in,
                clip_norm: self.clip_norm,
            },
            schedule: ScheduleSettings { shape: self.schedule.into(), warmup_epochs: self.warmup_epochs },
            ..usual
        })
    }
}

impl From<ScheduleArg> for ScheduleShape {
    fn from(schedule: ScheduleArg) -> Self {
        match schedule {
            ScheduleArg::Cosine => Self::Cosine,
            ScheduleArg::Step => Self::Step,
            ScheduleArg::Constant => Self::Constant,
        }
    }
}
