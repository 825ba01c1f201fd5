use std::process::Command;

use crate::folder::Folder;
use crate::server::Server;
use crate::{Result, process};

/// What one run of the load generator measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: u64,
    pub(super) seconds: f64,
    pub(super) p99_milliseconds: f64,
    /// Answers other than 2xx and 3xx, and connections that broke.
    pub(super) errors: u64,
}

impl Load {
    pub(super) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// What several turns, at least one, showed together. Their median stands for the 99th
    /// percentile, which cannot be had of the whole.
    pub(super) fn of_turns(turns: &[Self]) -> Self {
        let mut percentiles: Vec<f64> = turns.iter().map(|turn| turn.p99_milliseconds).collect();
        percentiles.sort_by(f64::total_cmp);
        Self {
            requests: turns.iter().map(|turn| turn.requests).sum(),
            seconds: turns.iter().map(|turn| turn.seconds).sum(),
            p99_milliseconds: percentiles[percentiles.len() / 2],
            errors: turns.iter().map(|turn| turn.errors).sum(),
        }
    }
}

const THREADS: u32 = 2;
const CONNECTIONS: u32 = 32;

/// Printed by the script when all is done: requests, microseconds, p99 in microseconds, errors.
const CLOSING: &str = r#"
done = function(summary, latency, requests)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format("RESULT %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(99), errors))
end
"#;

/// Runs wrk for `seconds` with the requests of `script`, sent as root.
pub(super) fn run(server: &Server, script: &str, seconds: u32) -> Result<Load> {
    let folder = Folder::new("wrk")?;
    let token = &server.root_token;
    let text = format!("wrk.headers[\"X-Vault-Token\"] = \"{token}\"\n{script}\n{CLOSING}");
    let file = folder.write("load.lua", text)?;
    let mut wrk = Command::new("wrk");
    wrk.arg(format!("-t{THREADS}")).arg(format!("-c{CONNECTIONS}")).arg(format!("-d{seconds}s"));
    wrk.arg("-s").arg(file).arg(format!("http://{}", server.address));
    parse(&process::capture(&mut wrk)?)
}

fn parse(output: &str) -> Result<Load> {
    let line = output.lines().find_map(|line| line.strip_prefix("RESULT "));
    let line = line.ok_or_else(|| format!("wrk printed no result:\n{output}"))?;
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [requests, micros, p99, errors] = numbers[..] else {
        return Err(format!("wrk printed a strange result: {line}"));
    };
    Ok(Load {
        requests,
        seconds: micros.max(1) as f64 / 1e6,
        p99_milliseconds: p99 as f64 / 1e3,
        errors,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_line_is_read() {
        let expected = Load { requests: 500, seconds: 2.0, p99_milliseconds: 1.5, errors: 3 };
        assert_eq!(parse("Running 2s test\nRESULT 500 2000000 1500 3\n"), Ok(expected));
        assert!(parse("Running 2s test\n").is_err());
        assert!(parse("RESULT 1 2\n").is_err());
    }

    #[test]
    fn turns_are_added_up() {
        let turn = |requests, p99_milliseconds| Load {
            requests,
            seconds: 2.0,
            p99_milliseconds,
            errors: 1,
        };
        let all = Load::of_turns(&[turn(100, 9.0), turn(300, 1.0), turn(200, 2.0)]);
        assert_eq!(all, Load { requests: 600, seconds: 6.0, p99_milliseconds: 2.0, errors: 3 });
        assert_eq!(all.requests_per_second(), 100.0);
    }
}
