//! The network of a run: one of those that have a name, or one's own.

use std::{fmt, path::Path, str::FromStr, sync::Arc};

use sam_model::{Architecture, Description, DescriptionError, ImageShape, Initialization};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::own_network::{NetworkFileError, OwnNetwork};
use crate::files;

/// The network of a run.
///
/// In files it is its record's name, or a table of the name and the text of its own file.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// By name.
    Named(Architecture),
    /// By a file.
    Own(Arc<OwnNetwork>),
}

/// A network that cannot be described for some images.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// One by name.
    #[error(transparent)]
    Named(#[from] DescriptionError),
    /// One's own.
    #[error("the file of `model` {name}, {source}")]
    Own {
        /// Its name.
        name: String,
        /// What is wrong.
        source: NetworkFileError,
    },
}

impl Model {
    /// How its weights start where nothing is said.
    pub fn initialization(&self) -> Initialization {
        match self {
            Self::Named(network) => network.initialization(),
            Self::Own(_) => Initialization::HeFanIn,
        }
    }

    /// The images that it was made for, and how many classes these have.
    pub fn input(&self) -> (ImageShape, usize) {
        match self {
            Self::Named(network) => network.input(),
            Self::Own(network) => network.input(),
        }
    }

    /// The network for images of `shape` in `classes` classes.
    ///
    /// # Errors
    /// [`ModelError`], when the images are too small for it, or a number is out of range.
    pub fn describe(
        &self,
        shape: ImageShape,
        classes: usize,
        init: Initialization,
    ) -> Result<Description, ModelError> {
        match self {
            Self::Named(network) => Ok(network.describe_with(shape, classes, init)?),
            Self::Own(network) => network
                .describe(shape, classes, init)
                .map_err(|source| ModelError::Own { name: network.name().to_owned(), source }),
        }
    }
}

impl From<Architecture> for Model {
    fn from(network: Architecture) -> Self {
        Self::Named(network)
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(network) => network.fmt(f),
            Self::Own(network) => network.fmt(f),
        }
    }
}

/// A name, or the path of a file that ends in `.toml`.
impl FromStr for Model {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        if path.extension().is_none_or(|ending| ending != "toml") {
            let or_file = |error| format!("{error}, or the path of a .toml file of layers");
            return text.parse().map(Self::Named).map_err(or_file);
        }
        let content = files::read_text(path).map_err(|error| format!("{text}: cannot be read: {error}"))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let network = OwnNetwork::parse(&name, &content).map_err(|error| format!("{text}, {error}"))?;
        Ok(Self::Own(Arc::new(network)))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    file: String,
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Named(network) => serializer.serialize_str(&network.record()),
            Self::Own(network) => Table { name: network.name().to_owned(), file: network.text().to_owned() }
                .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> de::Visitor<'de> for Reader {
            type Value = Model;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a network, or a table of name and file")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Model, E> {
                Architecture::from_record(name).map(Model::Named).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Model, A::Error> {
                let Table { name, file } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                let network = OwnNetwork::parse(&name, &file);
                let network = network
                    .map_err(|error| de::Error::custom(format_args!("the network's file, {error}")))?;
                Ok(Model::Own(Arc::new(network)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
