//! Choices that are written as a word: on the command line, in `config.toml`, in messages.

/// Reads and shows the cases of an enum by their words; `expected` is the error of any other text.
macro_rules! named {
    ($choice:ty, $expected:literal, $($case:ident = $word:literal),+) => {
        impl std::str::FromStr for $choice {
            type Err = &'static str;

            fn from_str(text: &str) -> Result<Self, &'static str> {
                match text {
                    $($word => Ok(Self::$case),)+
                    _ => Err($expected),
                }
            }
        }

        impl std::fmt::Display for $choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$case => $word,)+
                })
            }
        }
    };
}

pub(crate) use named;
