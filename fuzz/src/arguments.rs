//! The command line as any words.

/// One argument a line. Whatever they are they mean something or are refused with a message, and values that have a
/// text of their own survive it.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let arguments = std::iter::once("sam").chain(text.lines());
    if let Err(message) = sam_train::command::check(arguments) {
        assert!(!message.is_empty());
    }
    for word in text.lines() {
        if let Ok(architecture) = word.parse::<sam_model::Architecture>() {
            assert_eq!(architecture.to_string().parse(), Ok(architecture), "{word}");
        }
        if let Ok(norm) = word.parse::<sam_train::training::settings::NormExponent>() {
            assert_eq!(norm.to_string().parse(), Ok(norm), "{word}");
        }
    }
}
