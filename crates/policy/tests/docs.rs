//! The reference and the examples say what the parser does: every key has its heading, every
//! heading its key, and all that is shown as TOML is a policy.

use std::fs;
use std::path::{Path, PathBuf};

use mif_policy::{Input, Text, keys, parse, parse_with};

#[test]
fn every_key_has_a_heading_and_every_heading_a_key() {
    let docs = docs();
    let headings: Vec<&str> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let keys = keys();
    for key in &keys {
        assert!(
            headings.contains(&&**key),
            "docs/policy.md has no heading for `{key}`"
        );
    }
    for heading in headings {
        assert!(
            keys.iter().any(|key| key == heading),
            "there is no key `{heading}`"
        );
    }
}

#[test]
fn every_example_of_the_reference_is_a_policy() {
    let docs = docs();
    let examples = docs
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for example in examples {
        let text = Text {
            path: "docs/policy.md".into(),
            text: example.into(),
        };
        let mut input = Input::default();
        if example.starts_with("# pvds.toml") {
            input.pvds.push(text);
        } else {
            input.app = Some(text);
        }
        parse_with(&input, &|name| list(&docs, name))
            .unwrap_or_else(|faults| panic!("{example}\n{faults}"));
        count += 1;
    }
    assert!(count >= keys().len(), "{count} examples");
}

/// The example of a list, whose first line says where it lies.
fn list(docs: &str, name: &str) -> Result<Text, String> {
    let examples = docs.split("```text\n").skip(1);
    let mut texts = examples.filter_map(|rest| rest.split("```").next());
    let has_name = |text: &&str| text.lines().next().is_some_and(|line| line.ends_with(name));
    let text = texts.find(has_name).ok_or("has no example")?;
    Ok(Text {
        path: name.into(),
        text: text.to_owned(),
    })
}

#[test]
fn every_file_in_config_is_a_policy() {
    let config = root().join("config");
    let pvds = vec![text(&config.join("pvds.toml"))];
    let apps = fs::read_dir(config.join("apps")).unwrap();
    let mut names = Vec::new();
    for app in apps {
        let path = app.unwrap().path();
        let input = Input {
            pvds: pvds.clone(),
            app: Some(text(&path)),
            ..Input::default()
        };
        let policy = parse(&input).unwrap_or_else(|faults| panic!("{faults}"));
        // An example that names no network shows nothing.
        assert!(!policy.pvds.is_empty(), "{}", path.display());
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in [
        "default.toml",
        "firefox.toml",
        "nginx.toml",
        "ssh.toml",
        "transmission-gtk.toml",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "config/apps/{name} is gone"
        );
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn docs() -> String {
    fs::read_to_string(root().join("docs/policy.md")).unwrap()
}

fn text(path: &Path) -> Text {
    Text {
        path: path.display().to_string().into(),
        text: fs::read_to_string(path).unwrap(),
    }
}
