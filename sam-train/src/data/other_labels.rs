//! Labels from elsewhere for the training images of a data set, such as those that people gave them: CIFAR-10N and CIFAR-100N
//! (Wei et al. 2022).

use std::path::Path;

use super::{DataError, Dataset, own};

/// Gives the training images the labels in the `.npy` file `path`, one for each in the order of the data set, by the classes' numbers or
/// names. Returns how many differ from those before.
///
/// # Errors
/// [`DataError`], when the file cannot be read, holds another number of labels or one that is no class.
pub fn take(dataset: &mut Dataset, path: &Path) -> Result<usize, DataError> {
    let unusable = |expected: String, found: String| DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found,
        advice: "name labels of this data set's training images, in their order".into(),
    };
    let Dataset { train, class_names, classes, .. } = dataset;
    let words = own::read_labels(path)?;
    if words.len() != train.len() {
        return Err(unusable(format!("{} labels", train.len()), words.len().to_string()));
    }
    let class = |word: &String| {
        let by_name = class_names.iter().position(|name| name == word);
        by_name.or_else(|| word.parse().ok()).filter(|class| class < classes)
    };
    let labels = words.iter().enumerate().map(|(position, word)| {
        let class = class(word).map(|class| class as u16);
        let expected = || format!("labels of 0 to {} or by name", *classes - 1);
        class.ok_or_else(|| unusable(expected(), format!("{word} at position {position}")))
    });
    let labels: Vec<u16> = labels.collect::<Result<_, _>>()?;
    let others = labels.iter().zip(&train.labels).filter(|(new, old)| new != old).count();
    train.labels = labels;
    Ok(others)
}
