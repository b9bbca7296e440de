//! The command line that follows a recipe, as any words: refused with a message, or more words, which follow no further one.

use std::ffi::OsString;

use sam_train::command::{check as understand, expanded};

/// The words of the corpus lead to a recipe that there is: one argument a line, the program's name left out.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let given: Vec<OsString> = std::iter::once("sam").chain(text.lines()).map(OsString::from).collect();
    let whole = match expanded(given.clone()) {
        Ok(whole) => whole,
        Err(message) => return assert!(!message.is_empty()),
    };
    // What was given is all there, in its order, and what is added to it says all that the recipe has to say.
    let mut rest = whole.iter();
    assert!(given.iter().all(|word| rest.any(|found| found == word)), "{given:?} became {whole:?}");
    assert_eq!(expanded(whole.clone()).as_ref(), Ok(&whole));
    let flag = |word: &OsString| word.to_string_lossy().starts_with("--");
    for (i, word) in whole.iter().enumerate().filter(|(_, word)| flag(word)) {
        let again = whole[..i].contains(word);
        assert!(!again || given.iter().filter(|other| *other == word).count() > 1, "{word:?} twice");
    }
    // Nothing runs: what it means is understood, or refused with a message.
    if let Err(message) = understand(whole) {
        assert!(!message.is_empty());
    }
}
