//! Everything that determines the outcome of a run.

use std::path::{Path, PathBuf};

use sam_core::schedule::Schedule;
use sam_model::{Architecture, Description, ImageShape, Initialization};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use super::{
    ascent::{AscentSettings, RadiusShape, Tensors},
    average::AverageSettings,
    base::Base,
    batch_sizes::BatchSizes,
    decay_in::DecayIn,
    evaluated::Evaluated,
    invalid_setting::InvalidSetting,
    last_batch::LastBatch,
    method::Method,
    model::{Model, ModelError},
    norm_exponent::NormExponent,
    start::Start,
};
use super::{choice::Choice as _, range::Range, text};
use crate::{
    data::{
        Augment, AugmentDetails, Augmentation, ByteScale, DataError, DataSource, Dataset, other_labels,
        own::{self, FileSettings, Found},
        split::hold_out,
    },
    ranks::groups,
};

/// The settings of one training run: equal settings on equal data give equal weights, bit for bit.
///
/// What changes speed but not the outcome (threads, where the data lies) is in [`super::config::Machine`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Determines initial weights, the order of images, augmentation and label noise.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Images a step.
    pub batch: BatchSizes,
    /// What becomes of the images that are left over at the end of an epoch.
    #[serde(default, skip_serializing_if = "LastBatch::is_drop")]
    pub last_batch: LastBatch,
    /// How many groups each batch is cut into, which several processes may share out: gradients are added up in a tree over
    /// them, and each is a batch of its own for batch normalisation. Nothing: batches are computed as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<usize>,
    /// The network, by the name that it has in records.
    pub model: Model,
    /// How its weights start, if not as its authors' do.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "text::optional")]
    pub init: Option<Initialization>,
    /// Whether activations are computed again in the backward pass instead of kept: another forward pass for less memory, and
    /// the same weights.
    #[serde(default, skip_serializing_if = "is_off")]
    pub checkpoint_activations: bool,
    /// The share of the target that is spread over all classes.
    pub label_smoothing: f64,
    /// What is learned from.
    pub data: DataSettings,
    /// Which gradient is followed.
    pub method: Method,
    /// When and where it perturbs the weights.
    #[serde(default, skip_serializing_if = "AscentSettings::is_plain")]
    pub ascent: AscentSettings,
    /// How the gradient is followed.
    #[serde(default = "sgd", skip_serializing_if = "Base::is_sgd")]
    pub base: Base,
    /// How far, and what else is done to the weights.
    pub sgd: SgdSettings,
    /// The learning rate over time.
    pub schedule: ScheduleSettings,
    /// Averages of the weights.
    #[serde(default, skip_serializing_if = "AverageSettings::is_none")]
    pub average: AverageSettings,
    /// The file that weights and running statistics start from, if they do not start afresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The run ends after so many epochs without a lower error on the validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<usize>,
}

/// What is learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataSettings {
    /// The data set.
    pub name: DataSource,
    /// Only the first so many training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The probability with which a training label is replaced by a random one.
    pub label_noise: f64,
    /// A `.npy` file of labels for the training images in the place of those that they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_labels: Option<PathBuf>,
    /// How training images are changed each time they are seen.
    pub augment: Augment,
    /// How they are changed, where more than the name is said.
    #[serde(default, skip_serializing_if = "AugmentDetails::is_default")]
    pub augment_details: AugmentDetails,
    /// Both parameters of the Beta distribution of the shares in which images of a batch are mixed in pairs, and their labels (mixup).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixup: Option<f64>,
    /// What bytes are standardised by.
    #[serde(default, skip_serializing_if = "ByteScale::is_data")]
    pub standardize: ByteScale,
    /// The share of each class of the training images that is held out and evaluated on in the place of the test set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// How files of one's own are read, if it is those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FileSettings>,
}

impl Settings {
    /// Method, base optimizer and mixup for people.
    pub fn procedure(&self) -> String {
        let procedure = self.base.procedure(&self.method.title());
        self.data
            .mixup
            .map_or(procedure.clone(), |alpha| format!("{procedure} on images mixed at alpha {alpha}"))
    }

    /// What images are mixed by: the data's, or that of the method which is mixup itself.
    pub const fn mixup(&self) -> Option<f64> {
        match self.method {
            Method::Mixup { alpha } => Some(alpha),
            _ => self.data.mixup,
        }
    }
}

impl DataSettings {
    /// All of a data set as it is.
    pub const fn new(name: DataSource) -> Self {
        Self {
            name,
            limit: None,
            label_noise: 0.0,
            train_labels: None,
            augment: Augment::None,
            augment_details: AugmentDetails::DEFAULT,
            mixup: None,
            standardize: ByteScale::Data,
            validation: None,
            files: None,
        }
    }

    /// How training images are changed, as a whole.
    pub const fn augmentation(&self) -> Augmentation {
        Augmentation { augment: self.augment, details: self.augment_details }
    }

    /// What the data set is called in titles.
    pub fn title(&self) -> &str {
        self.files.as_ref().map_or(self.name.name(), |files| &files.title)
    }

    /// Which images a run is evaluated on.
    pub const fn evaluated_on(&self) -> Evaluated {
        if self.validation.is_some() { Evaluated::Validation } else { Evaluated::Test }
    }

    /// Reads the data set from its usual places or from `directory`, keeps the first `limit` training images, and holds out of these
    /// what is for validation.
    ///
    /// # Errors
    /// [`DataError`], when it cannot be used.
    pub fn load(&self, directory: Option<&Path>) -> Result<Found, DataError> {
        let mut found = match (&self.files, directory) {
            (Some(files), Some(path)) => own::read(path, files)?,
            _ => Found {
                dataset: self.name.load(directory, None)?,
                format: "the published files",
                notes: self.name.ambiguities(directory)?,
                scaled_by_content: false,
                broken: Vec::new(),
            },
        };
        found.dataset.scale = self.standardize;
        if let Some(path) = &self.train_labels {
            let others = other_labels::take(&mut found.dataset, path)?;
            let share = 100.0 * others as f64 / found.dataset.train.len().max(1) as f64;
            found.notes.push(format!(
                "training labels are those of {}: {others} differ from the data set's, {share:.2} %",
                path.display()
            ));
        }
        let Dataset { train, test, .. } = &mut found.dataset;
        if let Some(limit) = self.limit {
            train.truncate(limit);
        }
        if let Some(share) = self.validation {
            (*train, *test) = hold_out(train, share)?;
            let line = "evaluated on the {} images held out for validation, not on the test set";
            found.notes.push(line.replace("{}", &test.len().to_string()));
        }
        Ok(found)
    }
}

/// What base optimizers share: learning rate, momentum, weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SgdSettings {
    /// The learning rate that the schedule scales.
    pub lr: f64,
    /// Momentum; 0 for a base optimizer without.
    pub momentum: f64,
    /// Nesterov's form of it, of SGD.
    pub nesterov: bool,
    /// Weight decay.
    pub weight_decay: f64,
    /// Apply weight decay to the weights instead of adding it to the gradient, of SGD.
    pub decoupled: bool,
    /// What weight decay pulls towards zero.
    #[serde(default, skip_serializing_if = "is_all")]
    pub decay_on: Tensors,
    /// Where it acts.
    #[serde(default, skip_serializing_if = "is_in_base")]
    pub decay_in: DecayIn,
    /// The length that a gradient is cut down to before the step. Weight decay counts in it if it acts in the loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

impl SgdSettings {
    /// Nesterov momentum and weight decay as in most image recipes, with the rate `lr`.
    pub const fn new(lr: f64) -> Self {
        Self {
            lr,
            momentum: 0.9,
            nesterov: true,
            weight_decay: 5e-4,
            decoupled: false,
            decay_on: Tensors::All,
            decay_in: DecayIn::Base,
            clip_norm: None,
        }
    }

    /// The same with a rate that `model` bears: 0.1 with batch normalisation, 0.05 without, and less for the networks that
    /// the SAM paper trains with less.
    pub fn of_model(model: &Model) -> Self {
        let network = match model {
            Model::Named(network) => network,
            Model::Own(network) => return Self::new(if network.is_normalised() { 0.1 } else { 0.05 }),
        };
        Self::new(match network {
            Architecture::WideResNet(network) if !network.is_normalised() => 0.02,
            Architecture::ResNet(_) | Architecture::WideResNet(_) | Architecture::ImageNetResNet(_) => 0.1,
            Architecture::Mlp(_)
            | Architecture::LeNet(_)
            | Architecture::PyramidNet(_)
            | Architecture::EfficientNet(_) => 0.05,
            Architecture::ShakeShake(_) => 0.02,
        })
    }
}

/// The learning rate over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScheduleSettings {
    /// Its shape.
    pub shape: ScheduleShape,
    /// Epochs at the start over which the rate rises linearly.
    pub warmup_epochs: usize,
}

/// The shape of the learning rate over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleShape {
    /// Half a cosine down to 0.
    Cosine,
    /// Divided by 5 after 30, 60 and 90 % of the steps.
    Step,
    /// Unchanged.
    Constant,
}

impl Settings {
    /// Epochs where nothing is said.
    pub const EPOCHS: usize = 40;

    /// `model` on all of `data` by `method`, with seed 0, and everything else as where nothing is said: 64 images a step on
    /// the digits, 32 on files of one's own and 128 on larger data sets, [`SgdSettings::of_model`], half a cosine.
    pub fn new(model: Model, data: DataSource, method: Method) -> Self {
        let sgd = SgdSettings::of_model(&model);
        Self {
            seed: 0,
            epochs: Self::EPOCHS,
            batch: match data {
                DataSource::Digits => 64,
                DataSource::Files => 32,
                _ => 128,
            }
            .into(),
            last_batch: LastBatch::Drop,
            groups: None,
            model,
            init: None,
            checkpoint_activations: false,
            label_smoothing: 0.0,
            data: DataSettings::new(data),
            method,
            ascent: AscentSettings::PLAIN,
            base: Base::Sgd,
            sgd,
            schedule: ScheduleSettings { shape: ScheduleShape::Cosine, warmup_epochs: 0 },
            average: AverageSettings::NONE,
            start: None,
            patience: None,
        }
    }

    /// The network for images of `shape` in `classes` classes.
    ///
    /// # Errors
    /// When the images are too small for it, or a number is out of range.
    pub fn describe(&self, shape: ImageShape, classes: usize) -> Result<Description, ModelError> {
        self.model.describe(shape, classes, self.init.unwrap_or_else(|| self.model.initialization()))
    }

    /// SHA-256 of the settings in hexadecimal: tells runs apart.
    pub fn digest(&self) -> String {
        crate::hex(&Sha256::digest(crate::json::line(self)))
    }

    /// Whether a run of `began` can go on as one of these settings: they differ in more epochs at most, and batches have one size, since
    /// several ones share the epochs among them. The schedule is that of the longer run from there on.
    pub fn continues(&self, began: &Self) -> bool {
        let same = Self { epochs: began.epochs, ..self.clone() } == *began;
        same && (self.epochs == began.epochs || (self.epochs > began.epochs && self.batch.count() == 1))
    }

    /// Images that a network computes at a time, at most: those of a batch, or of a group of it.
    pub fn at_once(&self) -> usize {
        groups::largest(self.batch.largest(), self.groups.unwrap_or(1))
    }

    /// Gradients computed in a step, at most: of mixed images one for either label.
    pub fn gradients_per_step(&self) -> usize {
        self.gradients_of_a_step().ceil() as usize
    }

    /// The same on average over the steps.
    pub fn gradients_of_a_step(&self) -> f64 {
        self.method.gradients_per_step() * if self.data.mixup.is_some() { 2.0 } else { 1.0 }
    }
}

/// The longest run: steps are counted in 64 bits.
pub const MOST_EPOCHS: usize = 1_000_000;

/// The most groups of a batch: each level of their tree is a vector in memory.
pub const MOST_GROUPS: usize = 65_536;

impl Settings {
    /// Makes sure that every number is in its range, whoever wrote it: the command line or a file.
    ///
    /// # Errors
    /// [`InvalidSetting`] for the first that is not.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        let Self { data, sgd, .. } = self;
        let count = Range::Whole(1, u64::MAX);
        let epochs = |least| Range::Whole(least, MOST_EPOCHS as u64);
        self.method.check()?;
        self.batch.iter().try_for_each(|size| count.check_whole("batch", size))?;
        count.check_whole("limit", data.limit.unwrap_or(1))?;
        self.check_groups()?;
        epochs(1).check_whole("epochs", self.epochs)?;
        epochs(0).check_whole("warmup-epochs", self.schedule.warmup_epochs)?;
        Range::FromZero.check("lr", sgd.lr)?;
        Range::FromZero.check("weight-decay", sgd.weight_decay)?;
        Range::BelowOne.check("momentum", sgd.momentum)?;
        Range::BelowOne.check("label-smoothing", self.label_smoothing)?;
        Range::Probability.check("label-noise", data.label_noise)?;
        let square = data.augment_details.cutout_size.unwrap_or(0);
        Range::Whole(0, 4096).check_whole("cutout-size", square)?;
        data.augmentation().check()?;
        Range::AboveZero.check("mixup", data.mixup.unwrap_or(1.0))?;
        if data.mixup.is_some() && matches!(self.method, Method::Mixup { .. } | Method::SecondOrderSam { .. })
        {
            // The one mixes by itself, and the products of the other are of one label.
            let found = format!("`optimizer` {}", self.method.name());
            return Err(InvalidSetting::new(
                "mixup",
                "another `optimizer` than mixup and second-order-sam",
                found,
            ));
        }
        if let (Some(path), Some(_)) = (&data.train_labels, &data.files) {
            let expected = "`data` to be a data set by name, whose images have an order";
            return Err(InvalidSetting::new("train-labels", expected, path.display()));
        }
        // There is something left of both.
        for (name, share) in
            [("validation", data.validation), ("test-share", data.files.as_ref().and_then(|f| f.test_share))]
        {
            Range::AboveZero.check(name, share.unwrap_or(0.5))?;
            Range::BelowOne.check(name, share.unwrap_or(0.5))?;
        }
        Range::AboveZero.check("clip-norm", sgd.clip_norm.unwrap_or(1.0))?;
        if self.batch.count() > self.epochs {
            return Err(InvalidSetting::new("batch", "at most as many sizes as `epochs`", &self.batch));
        }
        if i64::try_from(self.seed).is_err() {
            return Err(InvalidSetting::new("seed", "a number below 2^63", self.seed));
        }
        if let Some(patience) = self.patience {
            count.check_whole("patience", patience)?;
            if data.validation.is_none() {
                let expected = "`validation`, whose images say when to stop; the test set must not";
                return Err(InvalidSetting::new("patience", expected, "none"));
            }
        }
        self.base.check_with(sgd)?;
        self.ascent.check(self.epochs)?;
        if self.ascent.tensors != Tensors::All && !self.method.perturbs_tensors() {
            let able = Method::ALL.iter().filter(|method| method.perturbs_tensors()).map(Method::name);
            let expected = format!("`optimizer` {}", able.collect::<Vec<_>>().join(", "));
            return Err(InvalidSetting::new(
                "perturb",
                expected,
                format!("`optimizer` {}", self.method.name()),
            ));
        }
        self.average.check(self.epochs)
    }

    /// Makes sure that no group is empty, and that those of m-sharpness are what its `m` says.
    fn check_groups(&self) -> Result<(), InvalidSetting> {
        let Some(groups) = self.groups else { return Ok(()) };
        Range::Whole(1, MOST_GROUPS as u64).check_whole("groups", groups)?;
        if let Some(batch) = self.batch.iter().find(|&batch| batch < groups) {
            return Err(InvalidSetting::new(
                "groups",
                format!("at most the {batch} images of `batch`"),
                groups,
            ));
        }
        match self.method {
            Method::MSharpness { m, .. }
                if self.batch.iter().any(|batch| Some(batch) != m.checked_mul(groups)) =>
            {
                let expected = format!("`batch` / `groups` images, here {} / {groups}", self.batch);
                Err(InvalidSetting::new("m", expected, m))
            }
            _ => Ok(()),
        }
    }
}

impl ScheduleSettings {
    /// The learning rates of a run with the peak `lr` and `total` steps, over the first `warmup` of which it rises.
    pub fn rates(&self, lr: f64, total: u64, warmup: u64) -> Schedule<f32> {
        let lr = lr as f32;
        let schedule = match self.shape {
            ScheduleShape::Cosine => Schedule::cosine(lr),
            ScheduleShape::Step => Schedule::step(lr, (total.saturating_sub(warmup) * 3).div_ceil(10), 0.2),
            ScheduleShape::Constant => Schedule::constant(lr),
        };
        schedule.with_warmup(warmup)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_off(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_in_base(place: &DecayIn) -> bool {
    matches!(place, DecayIn::Base)
}

const fn sgd() -> Base {
    Base::Sgd
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_all(tensors: &Tensors) -> bool {
    *tensors == Tensors::All
}
