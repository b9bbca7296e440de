//! `result.json` as any text, and any text as a picture: the page that is made of them has no other elements than it has of a harmless
//! result.

use sam_train::{
    experiment::train::TrainResult,
    report::{
        html::{Section, page},
        reduction,
        result_file::ResultFile,
    },
};

/// What the page is made of, with the attributes that it sets.
const ELEMENTS: [(&str, &[&str]); 30] = [
    ("!DOCTYPE", &["html"]),
    ("html", &["lang"]),
    ("head", &[]),
    ("meta", &["charset", "http-equiv", "content", "name"]),
    ("title", &[]),
    ("style", &[]),
    ("body", &[]),
    ("h1", &[]),
    ("h2", &[]),
    ("nav", &[]),
    ("ul", &[]),
    ("li", &[]),
    ("a", &["href"]),
    ("section", &["id"]),
    ("div", &["class"]),
    ("table", &[]),
    ("caption", &[]),
    ("thead", &[]),
    ("tbody", &[]),
    ("tr", &[]),
    ("th", &[]),
    ("td", &[]),
    ("p", &[]),
    ("figure", &[]),
    ("img", &["alt", "src"]),
    ("details", &[]),
    ("summary", &[]),
    ("dl", &[]),
    ("dt", &[]),
    ("dd", &[]),
];

/// Text that is a result is a section of a page; whatever it says, it adds no element and no attribute of its own to it.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut sections = Vec::new();
    if let Ok(result) = serde_json::from_str::<TrainResult>(text) {
        assert!(!result.sentence().is_empty());
        sections.push(result.section(text.to_owned(), Some(text.to_owned())));
    }
    if let Ok(result) = serde_json::from_str::<ResultFile>(text) {
        let reductions = reduction::of(&result);
        assert!(reductions.iter().all(|reduction| reduction.without > 0.0));
        let _ = reduction::figure(&reductions);
        let pictures = result.pictures.iter().map(|name| (name.clone(), text.to_owned())).collect();
        sections.push(result.section(text.to_owned(), pictures));
    }
    // A name of a directory may be anything too.
    sections.push(Section { heading: text.to_owned(), ..Section::default() });
    check_page(&page(&sections, &[(text.to_owned(), text.to_owned())]));
}

fn check_page(page: &str) {
    let mut rest = page;
    while let Some(begin) = rest.find('<') {
        let end = begin + rest[begin..].find('>').expect("an end of each element");
        let element = rest[begin + 1..end].trim_start_matches('/');
        rest = &rest[end + 1..];
        let (name, mut attributes) = element.split_once(' ').unwrap_or((element, ""));
        let known = ELEMENTS.iter().find(|(known, _)| *known == name);
        let Some((_, may)) = known else { panic!("an element {name}") };
        while let Some((attribute, after)) = attributes.split_once("=\"") {
            assert!(may.contains(&attribute.trim()), "an attribute {attribute} of {name}");
            let (value, after) = after.split_once('"').expect("an end of each value");
            assert!(attribute.trim() != "src" || value.starts_with("data:image/svg+xml;base64,"), "{value}");
            assert!(attribute.trim() != "href" || value.starts_with("#s"), "{value}");
            attributes = after;
        }
        assert!(attributes.trim().is_empty() || may.contains(&attributes.trim()), "{attributes} in {name}");
    }
}
