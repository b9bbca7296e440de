//! Numbers of whatever type with dimensions, as images and as labels.

use std::path::Path;

use sam_model::ImageShape;

use super::settings::PixelSize;
use crate::data::DataError;

/// Numbers as a file has them.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Whole numbers.
    Whole(Vec<i64>),
    /// Others.
    Real(Vec<f32>),
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(values) => values.len(),
            Self::Whole(values) => values.len(),
            Self::Real(values) => values.len(),
        }
    }

    fn at(&self, index: usize) -> f64 {
        match self {
            Self::Bytes(values) => values[index].into(),
            Self::Whole(values) => values[index] as f64,
            Self::Real(values) => values[index].into(),
        }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The same numbers in another order: at each place the one that `from` says.
    pub fn rearranged(&self, from: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Bytes(values) => Self::Bytes(from.map(|index| values[index]).collect()),
            Self::Whole(values) => Self::Whole(from.map(|index| values[index]).collect()),
            Self::Real(values) => Self::Real(from.map(|index| values[index]).collect()),
        }
    }
}

/// An array, the last dimension running fastest.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Its dimensions.
    pub dims: Vec<usize>,
    /// As many numbers as their product.
    pub numbers: Numbers,
}

/// Images of one size (NHWC), whose numbers are not bytes yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// The size of every image.
    pub shape: ImageShape,
    /// Image by image.
    pub numbers: Numbers,
}

impl Images {
    /// The number of images.
    pub fn count(&self) -> usize {
        self.numbers.len() / self.shape.len()
    }

    /// Whether they are rows of numbers with no neighbours.
    pub fn is_table(&self) -> bool {
        (self.shape.height, self.shape.width) == (1, 1)
    }

    /// The array of `path` as images: of dimensions (count, height, width), (count, height, width, channels), (count, channels,
    /// height, width) or (count, numbers). Such rows are images of `size` if given, square grey ones if all numbers are
    /// bytes and as many as a square of at least 8 x 8 has, and else rows without neighbours.
    pub fn of(array: Array, size: Option<PixelSize>, path: &Path) -> Result<Self, DataError> {
        const MOST_CHANNELS: usize = 4;
        let Array { dims, numbers } = array;
        let few = |count: usize| (1..=MOST_CHANNELS).contains(&count);
        let shape = |height, width, channels| ImageShape { height, width, channels };
        if numbers.len() == 0 {
            return Err(unusable(path, "at least one image", format!("an array of {dims:?}")));
        }
        match *dims.as_slice() {
            [_, height, width] => Ok(Self { shape: shape(height, width, 1), numbers }),
            [_, height, width, channels] if few(channels) => {
                Ok(Self { shape: shape(height, width, channels), numbers })
            }
            [count, channels, height, width] if few(channels) => {
                let (plane, image) = (height * width, channels * height * width);
                let from = (0..count * image).map(|to| {
                    let (image_number, within) = (to / image, to % image);
                    image_number * image + within % channels * plane + within / channels
                });
                Ok(Self { shape: shape(height, width, channels), numbers: numbers.rearranged(from) })
            }
            [_, columns] => {
                let shape = row_shape(&numbers, columns, size)
                    .map_err(|expected| unusable(path, expected, format!("rows of {columns} numbers")))?;
                Ok(Self { shape, numbers })
            }
            _ => {
                let expected = "dimensions (count, height, width), (count, height, width, channels), (count, channels, \
                                height, width) or (count, numbers)";
                Err(unusable(path, expected, format!("{dims:?}")))
            }
        }
    }

    /// Rows and columns of every image exchanged: EMNIST stores its images so.
    pub fn transpose(&mut self) {
        let ImageShape { height, width, channels } = self.shape;
        let image = self.shape.len();
        let from = (0..self.numbers.len()).map(|to| {
            let (pixel, channel) = (to % image / channels, to % channels);
            let (row, column) = (pixel / height, pixel % height);
            to / image * image + (column * width + row) * channels + channel
        });
        self.numbers = self.numbers.rearranged(from);
        self.shape = ImageShape { height: width, width: height, channels };
    }
}

fn unusable(path: &Path, expected: impl Into<Box<str>>, found: String) -> DataError {
    DataError::Unusable {
        path: path.to_owned(),
        expected: expected.into(),
        found,
        advice: "save the array in one of these forms".into(),
    }
}

fn row_shape(numbers: &Numbers, columns: usize, size: Option<PixelSize>) -> Result<ImageShape, String> {
    const LEAST_SIDE: usize = 8;
    if let Some(PixelSize { height, width }) = size {
        let channels = columns / (height * width);
        return match channels * height * width == columns && (1..=4).contains(&channels) {
            true => Ok(ImageShape { height, width, channels }),
            false => Err(format!("1 to 4 times {height} x {width} numbers an image, as `size` says")),
        };
    }
    let side = columns.isqrt();
    let bytes = || matches!(numbers, Numbers::Bytes(_)) || numbers.values().all(is_byte);
    match side * side == columns && side >= LEAST_SIDE && bytes() {
        true => Ok(ImageShape { height: side, width: side, channels: 1 }),
        false => Ok(ImageShape { height: 1, width: 1, channels: columns }),
    }
}

fn is_byte(value: f64) -> bool {
    (0.0..=255.0).contains(&value) && value.fract() == 0.0
}

/// The labels that an array holds: whole numbers in one column, or in the first of QMNIST's eight.
pub fn labels_of(array: &Array, path: &Path) -> Result<Vec<String>, DataError> {
    const QMNIST_COLUMNS: usize = 8;
    let step = match *array.dims.as_slice() {
        [_] | [_, 1] => 1,
        [_, QMNIST_COLUMNS] => QMNIST_COLUMNS,
        _ => {
            let expected = "one label an image, or QMNIST's eight columns";
            return Err(unusable(path, expected, format!("dimensions {:?}", array.dims)));
        }
    };
    let label = |index: usize| match &array.numbers {
        Numbers::Bytes(values) => Ok(values[index].to_string()),
        Numbers::Whole(values) => Ok(values[index].to_string()),
        Numbers::Real(values) if values[index].fract() == 0.0 => Ok(format!("{}", values[index])),
        Numbers::Real(values) => {
            Err(unusable(path, "whole numbers for labels", format!("{} at position {index}", values[index])))
        }
    };
    (0..array.numbers.len()).step_by(step).map(label).collect()
}

/// What numbers become bytes by, found on the training set.
#[derive(Debug, Clone, PartialEq)]
pub enum Levels {
    /// They are bytes.
    Bytes,
    /// From 0 to 1.
    Unit,
    /// For each channel the smallest and the largest become 0 and 255.
    Ranges(Vec<(f64, f64)>),
}

impl Levels {
    /// The scale of `images`.
    pub fn of(images: &Images) -> Self {
        let numbers = &images.numbers;
        if matches!(numbers, Numbers::Bytes(_)) || numbers.values().all(is_byte) {
            return Self::Bytes;
        }
        let table = images.is_table();
        if !table && numbers.values().all(|value| (0.0..=1.0).contains(&value)) {
            return Self::Unit;
        }
        // The channels of an image share a scale, the columns of a table do not.
        let scales = if table { images.shape.channels } else { 1 };
        let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); scales];
        for (index, value) in numbers.values().enumerate() {
            let (least, most) = &mut ranges[index % scales];
            (*least, *most) = (least.min(value), most.max(value));
        }
        Self::Ranges(ranges)
    }

    /// The bytes of `numbers`; those beyond the training set's range become its ends.
    pub fn bytes(&self, numbers: Numbers) -> Vec<u8> {
        // A float becomes a byte by saturation.
        match (self, numbers) {
            (Self::Bytes, Numbers::Bytes(bytes)) => bytes,
            (Self::Bytes, numbers) => numbers.values().map(|value| value.round() as u8).collect(),
            (Self::Unit, numbers) => numbers.values().map(|value| (255.0 * value).round() as u8).collect(),
            (Self::Ranges(ranges), numbers) => {
                let scaled = numbers.values().enumerate().map(|(index, value)| {
                    let (least, most) = ranges[index % ranges.len()];
                    let range = if most > least { most - least } else { 1.0 };
                    (255.0 * (value - least) / range).round() as u8
                });
                scaled.collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(dims: &[usize]) -> Array {
        let count = dims.iter().product::<usize>() as i64;
        Array { dims: dims.to_vec(), numbers: Numbers::Whole((0..count).collect()) }
    }

    fn images(dims: &[usize], size: Option<&str>) -> Result<Images, DataError> {
        Images::of(array(dims), size.map(|size| size.parse().unwrap()), Path::new("a"))
    }

    #[test]
    fn planes_become_pixels_and_pixels_stay() {
        let planes = images(&[2, 3, 5, 7], None).unwrap();
        assert_eq!((planes.shape.height, planes.shape.width, planes.shape.channels), (5, 7, 3));
        // Image 1, row 2, column 4, channel 1.
        let at = |images: &Images| images.numbers.at(((5 + 2) * 7 + 4) * 3 + 1);
        assert_eq!(at(&planes), f64::from(((3 + 1) * 5 + 2) * 7 + 4));
        let pixels = images(&[2, 5, 7, 3], None).unwrap();
        assert_eq!(at(&pixels), f64::from(((5 + 2) * 7 + 4) * 3 + 1));
    }

    #[test]
    fn transposing_exchanges_rows_and_columns_and_twice_does_nothing() {
        let whole = images(&[3, 4, 5, 2], None).unwrap();
        let mut turned = whole.clone();
        turned.transpose();
        assert_eq!((turned.shape.height, turned.shape.width), (5, 4));
        // Image 1, row 3, column 2, channel 1 was at row 2, column 3.
        assert_eq!(turned.numbers.at(40 + (3 * 4 + 2) * 2 + 1), whole.numbers.at(40 + (2 * 5 + 3) * 2 + 1));
        turned.transpose();
        assert_eq!(turned, whole);
    }

    #[test]
    fn rows_are_images_where_it_is_said_or_plain() {
        let shape = |dims: &[usize], size| {
            images(dims, size).map(|images| (images.shape.height, images.shape.width, images.shape.channels))
        };
        assert_eq!(shape(&[4, 64], None).unwrap(), (8, 8, 1));
        assert_eq!(shape(&[5, 64], None).unwrap(), (1, 1, 64), "values beyond 255 are no pixels");
        assert_eq!(shape(&[2, 4], None).unwrap(), (1, 1, 4));
        assert_eq!(shape(&[2, 24], Some("2x4")).unwrap(), (2, 4, 3));
        assert!(shape(&[2, 25], Some("2x4")).is_err());
        assert!(images(&[0, 2, 2], None).is_err());
        assert!(images(&[7], None).is_err());
    }

    #[test]
    fn levels_keep_the_order_and_the_ends() {
        let real = |values: &[f32], channels| Images {
            shape: ImageShape { height: 1, width: 1, channels },
            numbers: Numbers::Real(values.to_vec()),
        };
        let table = real(&[-1.0, 100.0, 3.0, 100.0, 1.0, 100.0], 2);
        let levels = Levels::of(&table);
        assert_eq!(levels.bytes(table.numbers), [0, 0, 255, 0, 128, 0]);
        assert_eq!(levels.bytes(Numbers::Real(vec![9.0, 99.0, -9.0, 1e9])), [255, 0, 0, 255]);
        let picture =
            Images { shape: ImageShape { height: 1, width: 3, channels: 1 }, ..real(&[0.0, 0.5, 1.0], 1) };
        assert_eq!(Levels::of(&picture), Levels::Unit);
        assert_eq!(Levels::Unit.bytes(picture.numbers), [0, 128, 255]);
        assert_eq!(Levels::of(&real(&[0.0, 7.0, 255.0], 1)), Levels::Bytes);
    }
}
