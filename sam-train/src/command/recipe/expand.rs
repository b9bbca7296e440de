//! `--recipe NAME` in a command line becomes the arguments of that recipe, but for those that are given.

use std::ffi::OsString;

use super::{check_scale, find};
use crate::training::settings::InvalidSetting;

/// The commands that follow recipes.
const COMMANDS: [&str; 11] = [
    "train",
    "compare",
    "ablate",
    "noise",
    "grid",
    "tune",
    "finetune",
    "spectrum",
    "landscape",
    "predict-gap",
    "bound",
];

/// The arguments, the program's name first, with those of the recipe that they name behind its name; as they are, if they name none.
///
/// # Errors
/// [`InvalidSetting`] for a recipe that there is not, for a share that is none, and for what stands beside no recipe.
pub fn expanded(arguments: Vec<OsString>) -> Result<Vec<OsString>, InvalidSetting> {
    let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some(place) = words.iter().skip(1).position(|word| COMMANDS.contains(&word.as_str())) else {
        return Ok(arguments);
    };
    let place = place + 1;
    let Some((name, last)) = value_of("recipe", &words) else { return Ok(arguments) };
    let command = match (words[place].as_str(), words.get(place + 1)) {
        ("ablate", Some(what)) => format!("ablate {what}"),
        (command, _) => command.to_owned(),
    };
    let given: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("--")).map(flag_of).collect();
    for other in ["resume", "config"] {
        if given.contains(&other) {
            let expected = format!("nothing beside `{other}`, which has settings of its own");
            return Err(InvalidSetting::new("recipe", expected, name));
        }
    }
    let mut recipe = find(&name)?;
    if let Some((scale, _)) = value_of("scale", &words) {
        let share =
            scale.parse().map_err(|_| InvalidSetting::new("scale", "a share, above 0 to 1", &scale))?;
        check_scale(Some(share))?;
        recipe = recipe.scaled(share).0;
    }
    if let (Some(title), false) = (recipe.data.folder, given.contains(&"data")) {
        let expected = format!("`data` beside it, where the pictures of {title} are");
        return Err(InvalidSetting::new("recipe", expected, name));
    }
    let number = |flag| value_of(flag, &words).and_then(|(value, _)| value.parse::<usize>().ok());
    recipe.m = number("m").filter(|m| *m > 0).unwrap_or(recipe.m);
    let mut expanded = arguments[..=last].to_vec();
    for (flag, value) in recipe.arguments(&command, number("batch")) {
        // Another method than SAM has no groups.
        let of_method = matches!(flag, "optimizer" | "m") && given.contains(&"optimizer");
        if given.contains(&flag) || of_method {
            continue;
        }
        expanded.push(format!("--{flag}").into());
        expanded.extend((!value.is_empty()).then(|| value.into()));
    }
    expanded.extend_from_slice(&arguments[last + 1..]);
    Ok(expanded)
}

/// The name of the flag in `lr=0.1`.
fn flag_of(word: &str) -> &str {
    word.split_once('=').map_or(word, |(flag, _)| flag)
}

/// What was given for `flag`, and the place of the word that ends it.
fn value_of(flag: &str, words: &[String]) -> Option<(String, usize)> {
    words.iter().enumerate().find_map(|(i, word)| match word.strip_prefix("--")?.split_once('=') {
        Some((name, value)) => (name == flag).then(|| (value.to_owned(), i)),
        None => (word[2..] == *flag).then(|| words.get(i + 1).map(|value| (value.clone(), i + 1)))?,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::table, *};
    use crate::command::check;

    fn of(line: &str) -> Result<String, String> {
        let words = line.split(' ').map(OsString::from).collect();
        let words = expanded(words).map_err(|error| error.to_string())?;
        Ok(words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" "))
    }

    const WRN: &str = "table1-cifar-10-wrn-28-10-200-basic";

    #[test]
    fn a_recipe_is_its_arguments_and_what_is_given_goes_before() {
        assert_eq!(
            of(&format!("sam compare --recipe {WRN}")).unwrap(),
            format!(
                "sam compare --recipe {WRN} --model wrn-28-10 --batch 256 --data cifar-10 --epochs 200 --lr 0.1 --weight-decay 0.0005 \
                 --augment basic --padding reflect --decay-in loss --clip-norm 5 --groups 8 --rho 0.05 --m 32 --seeds 5 --label-noise 0"
            )
        );
        let other = of(&format!("sam --json train --lr=0.3 --recipe={WRN} --batch 128 --seed 3")).unwrap();
        assert!(
            other.contains("--groups 4")
                && !other.contains("--lr 0.1")
                && other.contains("--optimizer m-sharpness"),
            "{other}"
        );
        assert!(other.ends_with("--batch 128 --seed 3") && !other.contains("--batch 256"), "{other}");
        let sgd = of(&format!("sam train --recipe {WRN} --optimizer sgd")).unwrap();
        assert!(!sgd.contains("m-sharpness") && !sgd.contains("--m "), "{sgd}");
        let written = of(&format!("sam train --recipe {WRN}-as-written")).unwrap();
        assert!(written.contains("--no-nesterov") && !written.contains("--decay-in"), "{written}");
        assert_eq!(of("sam train --lr 1").unwrap(), "sam train --lr 1");
    }

    #[test]
    fn what_no_recipe_can_be_made_of_is_refused_with_what_to_do() {
        for (line, expected) in [
            (
                "sam train --recipe table0",
                "`recipe`: expected the name of one, as `sam recipe` lists them, found table0",
            ),
            ("sam compare --recipe table2-resnet-50-100", "`recipe`: expected `data` beside it"),
            ("sam train --recipe x --resume runs/a", "`recipe`: expected nothing beside `resume`"),
        ] {
            let found = of(line).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        }
        for scale in ["0", "1.5", "little"] {
            let found = of(&format!("sam train --recipe {WRN} --scale {scale}")).unwrap_err();
            assert!(found.starts_with("`scale`: expected a share, above 0 to 1"), "{found}");
        }
    }

    /// Every recipe is what its command and `sam train` understand, whole and scaled.
    #[test]
    fn every_recipe_is_parsed_and_checked_by_its_command() {
        let recipes = table::all();
        let names: std::collections::BTreeSet<_> = recipes.iter().map(|recipe| &recipe.name).collect();
        assert_eq!(names.len(), recipes.len(), "names are unique");
        let folder = env!("CARGO_MANIFEST_DIR");
        for recipe in &recipes {
            for command in ["train", "compare", recipe.command] {
                for scale in ["1", "0.1", "0.002"] {
                    let data = recipe.data.folder.map_or(String::new(), |_| format!(" --data {folder}"));
                    let line = format!("sam {command} --recipe {} --scale {scale}{data}", recipe.name);
                    let words = expanded(line.split(' ').map(OsString::from).collect()).unwrap();
                    assert_eq!(check(words), Ok(()), "{line}");
                }
            }
        }
    }
}
