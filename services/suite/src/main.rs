//! The program `rapport`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use rapport_gateway::Admin;
use rapport_kernel::{Fault, Kind, Reason, SystemClock};
use rapport_platform::config::{self, Loaded, Sources};
use rapport_platform::{Contract, Platform, telemetry};
use rapport_suite::assembly::{Roles, asked_to_stop};
use rapport_suite::cli::{Cli, Command, Config, Tenant};
use rapport_suite::settings::{Role, Settings};
use rapport_suite::{call, import, secrets, up};

/// In one process a call passes from service to service on one stack, each with its layers; an unoptimised build's frames
/// are large. It is address space, not memory.
const STACK: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(why) => Err(Fault::internal(why)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // The operator sits here: it may see the cause.
            eprintln!("rapport: {fault:?}");
            ExitCode::from(code(&fault))
        }
    }
}

/// What the shell learns of why it ended, for scripts that try again: 75 (EX_TEMPFAIL of sysexits.h) where the suite could not
/// be reached and the same may go well later; 130 where it was stopped; else 1.
const fn code(fault: &Fault) -> u8 {
    match fault.kind() {
        _ if fault.is_transient() => 75,
        Kind::Cancelled => 130,
        _ => 1,
    }
}

async fn run(cli: Cli) -> Result<(), Fault> {
    match &cli.command {
        Command::Up(arguments) => {
            let below = vec![secrets::file(&arguments.data)?];
            let loaded = load(&cli, below, Settings::embedded(&arguments.data, arguments.listen))?;
            let telemetry = telemetry::init(&loaded.value.telemetry, "up")?;
            let ended = up::up(arguments, loaded.value).await;
            telemetry.shutdown(Duration::from_secs(2)).await;
            ended
        }
        Command::Serve(arguments) => serve(&cli, arguments.role).await,
        Command::Replay(arguments) => replay(&cli, arguments.role).await,
        Command::Call(arguments) => call::call(arguments).await,
        Command::Import(arguments) => import::import(arguments).await,
        Command::Tenant(Tenant::Create { name }) => create_tenant(&cli, name).await,
        Command::Config(Config::Show) => {
            print!("{}", load(&cli, Vec::new(), Vec::new())?.show()?);
            Ok(())
        }
        Command::Config(Config::Reference) => {
            print!("{}", config::reference::<Settings>()?);
            Ok(())
        }
    }
}

/// The configuration in its layers: what the command sets by itself lies below the files of the command line.
fn load(cli: &Cli, mut files: Vec<PathBuf>, set: Vec<(String, String)>) -> Result<Loaded<Settings>, Fault> {
    files.extend(cli.files.iter().cloned());
    let flags = set.into_iter().chain(cli.set.iter().cloned()).collect();
    config::load(&Sources::of_process(files, flags))
}

async fn serve(cli: &Cli, role: Role) -> Result<(), Fault> {
    let settings = load(cli, Vec::new(), Vec::new())?.value;
    let telemetry = telemetry::init(&settings.telemetry, role.name())?;
    let roles = Roles::build(&[role], &settings).await?;
    let served = roles.serve(role, &settings.host).await?;
    tracing::info!(role = role.name(), address = %served.address()?, "serving");
    let ended = served.run(asked_to_stop()).await;
    roles.stop().await;
    telemetry.shutdown(Duration::from_secs(2)).await;
    ended
}

async fn replay(cli: &Cli, role: Role) -> Result<(), Fault> {
    let settings = load(cli, Vec::new(), Vec::new())?.value;
    let platform = Platform::new(&settings.platform, Arc::new(SystemClock), Contract::suite()?)?;
    let events = match role {
        Role::Profiles => rapport_profiles::replay(&platform, settings.profiles).await?,
        Role::Feedback => rapport_feedback::replay(&platform, settings.feedback).await?,
        Role::Personalisation | Role::Metrics | Role::Gateway => {
            let text = format!("{} tells nothing that others rebuild from; profiles and feedback do", role.name());
            return Err(Fault::new(Reason::InvalidField, text));
        }
    };
    println!("{events} events are told again; the running relay publishes them");
    platform.stop(Duration::from_secs(3)).await;
    Ok(())
}

async fn create_tenant(cli: &Cli, name: &str) -> Result<(), Fault> {
    let settings = load(cli, Vec::new(), Vec::new())?.value;
    let platform = Platform::new(&settings.platform, Arc::new(SystemClock), Contract::suite()?)?;
    let made = Admin::open(&platform, &settings.gateway).await?.create_tenant(name).await?;
    println!("{}", serde_json::json!({ "tenant": made.tenant.id.to_string(), "key": made.secret.expose() }));
    platform.stop(Duration::from_secs(3)).await;
    Ok(())
}
