use crate::{Config, reader};

/// The files of the default set, in the order in which reports list their rules.
pub(crate) const FILES: [(&str, &str); 8] = [
    ("allow.toml", include_str!("../data/allow.toml")),
    ("ai.toml", include_str!("../data/ai.toml")),
    ("cloud.toml", include_str!("../data/cloud.toml")),
    ("code.toml", include_str!("../data/code.toml")),
    ("money.toml", include_str!("../data/money.toml")),
    ("talk.toml", include_str!("../data/talk.toml")),
    ("work.toml", include_str!("../data/work.toml")),
    ("generic.toml", include_str!("../data/generic.toml")),
];

/// All of them as one configuration. Each is read by a thread of its own: nothing else that the scan of one small file
/// does takes as long.
pub(crate) fn set() -> Config {
    let files: Vec<Config> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            FILES.iter().map(|(place, text)| scope.spawn(|| file(place, text))).collect();
        threads.into_iter().map(|thread| thread.join().expect(SOUND)).collect()
    });
    let mut all = Config { title: "Strongroom's default rules".into(), ..Config::default() };
    for file in files {
        all.rules.extend(file.rules);
        all.allowlists.extend(file.allowlists);
    }
    all
}

const SOUND: &str = "the default set is read by a test";

fn file(place: &str, text: &str) -> Config {
    let refuse = |_: &str| unreachable!("the default set extends nothing");
    reader::read(text, place, &refuse).expect(SOUND)
}
