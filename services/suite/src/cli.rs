//! The command line: what there is to say to `rapport`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::settings::Role;

/// The customer-experience backend: profiles, feedback, personalisation and metrics behind one gateway.
#[derive(Debug, Parser)]
#[command(name = "rapport", version, propagate_version = true)]
pub struct Cli {
    /// Configuration files (TOML), a later one above an earlier one; above them RAPPORT_SECTION__KEY variables.
    #[arg(long = "config", global = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// One key of the configuration, above everything else; may be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = key_value)]
    pub set: Vec<(String, String)>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole suite in one process, on SQLite files in a data folder.
    Up(Up),
    /// Run one role, on its own database, with the shared Redis.
    Serve(Serve),
    /// Publish a role's state again, so that consumers rebuild what they derived from it.
    Replay(Serve),
    /// Import customers, or what they did, from a file (CSV, NDJSON, or a tracker's calls by Segment's spec). A second run
    /// goes on after what was acknowledged of the first one. Ends with 0 where all is imported, with 1 where lines were refused,
    /// with 75 where the connection was lost (run the same again), with 130 where it was stopped.
    Import(Import),
    /// Make one call of the contract, JSON in and out.
    Call(Call),
    /// Tenants, on the gateway's database.
    #[command(subcommand)]
    Tenant(Tenant),
    /// The configuration.
    #[command(subcommand)]
    Config(Config),
}

/// How `up` runs.
#[derive(Debug, Args)]
pub struct Up {
    /// Where the databases are kept; made if it is not there.
    #[arg(long, default_value = "rapport-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Where gRPC is served; port 0 finds a free one.
    #[arg(long, default_value = "127.0.0.1:50051", value_name = "ADDR")]
    pub listen: SocketAddr,
    /// Load the demo: real purchases, and plainly labelled synthetic feedback. Loading it twice changes nothing.
    #[arg(long)]
    pub demo: bool,
    /// What is printed on standard output when the suite is ready.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// What is printed on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A few lines for people.
    Text,
    /// Exactly one line: {"grpc": "host:port", "tenant": "…", "key": "…"}, the key only when it was just made.
    Json,
}

/// Which role.
#[derive(Debug, Args)]
pub struct Serve {
    /// The role.
    #[arg(value_enum)]
    pub role: Role,
}

/// What to import, from where, to where.
#[derive(Debug, Args)]
pub struct Import {
    /// What the file holds. (A tracker's file holds both: either word imports all of it.)
    #[arg(value_enum)]
    pub what: Subject,
    /// The file, in UTF-8. Beside it are kept how far it was imported (FILE.import.json), and the lines that were refused,
    /// each with its reasons (FILE.errors.ndjson).
    pub file: PathBuf,
    /// Where the suite is.
    #[arg(long, default_value = "127.0.0.1:50051", value_name = "HOST:PORT")]
    pub address: String,
    /// The API key.
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// The format; by the file's ending where it is left out.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// The source of lines that name none, as crm.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The survey (UUID) of responses that name none.
    #[arg(long, value_name = "UUID")]
    pub survey: Option<String>,
    /// What a column means, as Mail=identifier.email, or Mail=- to pass it over; may be repeated. Fields of profiles: source,
    /// external_id, party, observed_at, unset_traits, identifier.NAMESPACE, trait.NAME, consent.PURPOSE[.CHANNEL]; of
    /// interactions: source, external_id, version, type, channel, touchpoint, stage, product, occurred_at, customer_id,
    /// customer.NAMESPACE, value, currency, attribute.NAME. trait.age:number says a type (bool, number, text, time, list).
    /// Of responses: survey_id, source, external_id, version, answered_at, started_at, customer_id, customer.NAMESPACE, score,
    /// comment, answer.QUESTION (answer.QUESTION:choice says a type: number, text, choice, choices, date), hidden.NAME,
    /// scale_min, scale_max, source_score, partial, is_test, weight, tags, language, channel, touchpoint, stage, product,
    /// campaign, agent, team; of tickets: source, external_id, version, customer_id, customer.NAMESPACE, kind, status,
    /// priority, create_time, update_time, solved_time, closed_time, first_response_time, contact_times, title, description,
    /// topic, tags, issue, follow_up_of, contained, language, channel, touchpoint, stage, product, agent, team.
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = column_field)]
    pub map: Vec<(String, String)>,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// Who customers are.
    Profiles,
    /// What they did.
    Interactions,
    /// What they answered to surveys.
    Responses,
    /// What they turned to the contact centre with.
    Tickets,
}

/// How a file holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A header, and a record a line; comma, semicolon or tabulator between the cells.
    Csv,
    /// An object of JSON a line.
    Ndjson,
    /// A tracker's call a line, by Segment's spec: identify, track, page, screen, group, alias; or a batch of them.
    Segment,
}

impl Format {
    /// The one that a file's name tells.
    #[must_use]
    pub fn of(file: &std::path::Path) -> Option<Self> {
        match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// One call.
#[derive(Debug, Args)]
pub struct Call {
    /// Where the suite is.
    #[arg(long, default_value = "127.0.0.1:50051", value_name = "HOST:PORT")]
    pub address: String,
    /// The API key.
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// The call, as rapport.profiles.v1.ProfileService/GetProfile, or just GetProfile.
    pub method: String,
    /// The request, as JSON.
    #[arg(default_value = "{}")]
    pub body: String,
}

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Make a tenant and its first API key, and print both as one JSON line.
    Create {
        /// Its name.
        name: String,
    },
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the effective configuration, each key with where its value came from. Secrets are not shown.
    Show,
    /// Print every key with its default and meaning, as a Markdown table.
    Reference,
}

fn column_field(text: &str) -> Result<(String, String), String> {
    let (column, field) = text.rsplit_once('=').ok_or("COLUMN=FIELD is needed, as Mail=identifier.email")?;
    Ok((column.trim().to_owned(), field.trim().to_owned()))
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE is needed, as metrics.suppression_threshold=10")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
