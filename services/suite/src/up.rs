//! `rapport up`: the whole suite in one process, for a newcomer, a laptop, a test, a small shop.

use std::path::Path;
use std::time::{Duration, Instant};

use rapport_gateway::Admin;
use rapport_kernel::{Fault, TenantId};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::assembly::{Roles, asked_to_stop};
use crate::cli::{Output, Up};
use crate::demo::{self, Loaded};
use crate::settings::{Role, Settings};

/// The name of the tenant that `up` makes.
const TENANT: &str = "default";

/// Runs until it is asked to stop.
///
/// # Errors
/// What kept it from starting, or made it end.
pub async fn up(arguments: &Up, settings: Settings) -> Result<(), Fault> {
    let started = Instant::now();
    let roles = Roles::build(&Role::ALL, &settings).await?;
    let gateway = roles.serve(Role::Gateway, &settings.host).await?;
    let address = gateway.address()?.to_string();
    let admin = roles.admin.clone().ok_or_else(|| Fault::internal("the gateway is one of all roles"))?;
    let (tenant, made) = match admin.find_tenant(TENANT).await? {
        Some(tenant) => (tenant.id, None),
        None => {
            let made = admin.create_tenant(TENANT).await?;
            (made.tenant.id, Some(made.secret.expose().to_owned()))
        }
    };
    let ready = started.elapsed();
    let failed = CancellationToken::new();
    let serving = async {
        let stop = async {
            tokio::select! {
                () = asked_to_stop() => {}
                () = failed.cancelled() => {}
            }
        };
        let ended = gateway.run(stop).await;
        roles.stop().await;
        ended
    };
    let greeting = async {
        let loaded = match arguments.demo {
            true => Some(load_demo(&admin, tenant, made.as_deref(), &address).await.inspect_err(|_| {
                // It is shown this once, also where nothing else comes of it.
                if let Some(key) = &made {
                    eprintln!("tenant: {tenant}   API key (shown this once): {key}");
                }
            })?),
            false => None,
        };
        match arguments.output {
            Output::Json => line(&address, tenant, made.as_deref()),
            Output::Text => greet(&arguments.data, &address, tenant, made.as_deref(), ready, loaded.as_ref()),
        }
        Ok::<(), Fault>(())
    };
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return served,
        greeted = greeting => if let Err(fault) = greeted {
            failed.cancel();
            serving.await?;
            return Err(fault);
        },
    }
    serving.await
}

/// Loads the demo with the key that was just made, or with one that is revoked again: no secret is kept for it.
async fn load_demo(admin: &Admin, tenant: TenantId, made: Option<&str>, address: &str) -> Result<Loaded, Fault> {
    if let Some(secret) = made {
        return demo::load(address, secret).await.map_err(|status| rapport_platform::fault(&status));
    }
    let (key, secret) = admin.create_key(tenant, "demo loader", &["*:admin"]).await?;
    let loaded = demo::load(address, &secret).await;
    admin.revoke_key(tenant, key).await?;
    loaded.map_err(|status| rapport_platform::fault(&status))
}

fn line(address: &str, tenant: TenantId, key: Option<&str>) {
    let mut line = json!({ "grpc": address, "tenant": tenant.to_string() });
    if let Some(key) = key {
        line["key"] = json!(key);
    }
    println!("{line}");
}

fn greet(data: &Path, address: &str, tenant: TenantId, key: Option<&str>, ready: Duration, loaded: Option<&Loaded>) {
    println!("Rapport is up after {:.2} s. gRPC: {address}   data: {}", ready.as_secs_f64(), data.display());
    match key {
        Some(key) => println!("tenant: {tenant}   API key (shown this once): {key}"),
        None => println!("tenant: {tenant}   (its API key was shown when it was made)"),
    }
    let Some(loaded) = loaded else { return };
    println!(
        "demo, loaded in {:.1} s: {} real purchases (CDNOW 1997–98), {} customers with made-up particulars, {} made-up \
         NPS answers, {} made-up tickets in four languages, {} real reviews, {} offers, {} records of people to be matched \
         (FEBRL 1)",
        loaded.seconds,
        loaded.purchases,
        loaded.people,
        loaded.responses,
        loaded.tickets,
        loaded.reviews,
        loaded.actions,
        loaded.records
    );
    let program = program();
    let key = key.unwrap_or("YOUR_KEY");
    let call = |method: &str, body: &str| {
        println!("  {program} call --address {address} --key {key} \\\n    {method} '{body}'");
    };
    if let Some(token) = &loaded.invitation {
        println!("\nA survey to answer in a browser: http://{address}/survey/{token}");
    }
    println!("\nTry next, in another terminal:");
    let example =
        format!(r#"{{"customer":{{"identifier":{{"namespace":"customer_number","value":"{}"}}}}"#, loaded.example);
    call("rapport.profiles.v1.ProfileService/GetProfile", &format!("{example}}}"));
    call("rapport.metrics.v1.MetricService/QueryMetric", r#"{"metric":"nps","groupBy":["trait.region"]}"#);
    let said = r#"{"text":"The delivery was awfully late, but your colleague was wonderful!"}"#;
    call("rapport.feedback.v1.TextService/AnalyzeText", said);
    call(
        "rapport.personalisation.v1.DecisionService/Decide",
        &format!(r#"{example},"channel":"web","explain":true}}"#),
    );
}

/// How this program can be started again from here.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "rapport".into());
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map_or_else(|_| path.display().to_string(), |path| format!("./{}", path.display()))
}
