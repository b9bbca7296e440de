//! What a trained network must know of its data, so that it can be used without it: a checkpoint keeps it.

use sam_model::ImageShape;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Moments, Standardizer};

/// What a trained network must know of its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// What the data set is called.
    pub name: String,
    /// The classes by name, in the order of the logits.
    pub classes: Vec<String>,
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// What its channels are standardised by.
    pub moments: Vec<Moments>,
}

impl DataFacts {
    /// Those of `dataset`, whose training images `standardizer` was fitted to.
    pub fn of(dataset: &Dataset, standardizer: &Standardizer) -> Self {
        let ImageShape { height, width, channels } = dataset.shape;
        Self {
            name: dataset.name.clone(),
            classes: dataset.class_names.clone(),
            image: [height, width, channels],
            moments: standardizer.moments().to_vec(),
        }
    }

    /// The size of an image.
    pub const fn shape(&self) -> ImageShape {
        let [height, width, channels] = self.image;
        ImageShape::new(height, width, channels)
    }

    /// What bytes become.
    pub fn standardizer(&self) -> Standardizer {
        Standardizer::of(&self.moments)
    }

    /// Whether the numbers go together; a file may say anything.
    pub fn is_whole(&self) -> bool {
        self.moments.len() == self.image[2]
            && self.classes.len() > 1
            && self.image.iter().all(|&extent| extent > 0)
    }
}
