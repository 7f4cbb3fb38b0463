//! A browser without a script: it asks for pages over HTTP/1.1, and sends the form that a page holds, as it is filled in.
//! It keeps nothing between two requests.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A browser.
pub struct Browser {
    address: String,
    language: String,
}

/// What it was answered.
pub struct Page {
    /// The status.
    pub status: u16,
    /// The headers, by their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The page.
    pub body: String,
}

/// A tag of a page: its attributes, unescaped.
pub type Tag = BTreeMap<String, String>;

impl Browser {
    /// Asks at `host:port`, in the languages of an `accept-language`.
    #[must_use]
    pub fn at(address: &str, language: &str) -> Self {
        Self { address: address.to_owned(), language: language.to_owned() }
    }

    /// Opens a page.
    pub fn get(&self, path: &str) -> Page {
        self.send("GET", path, &[], "")
    }

    /// Sends a form.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], &body)
    }

    /// Fills in the form of a page that was opened at a path, and sends it.
    pub fn fill(&self, path: &str, page: &Page, fields: &[(&str, &str)]) -> Page {
        let hidden = page.hidden();
        let hidden = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        self.post(path, &hidden.chain(fields.iter().copied()).collect::<Vec<_>>())
    }

    /// Makes any request.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Page {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in [("accept-language", self.language.as_str())].iter().chain(headers) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        stream.write_all(request.as_bytes()).expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        Page::parse(&answer)
    }
}

impl Page {
    fn parse(answer: &[u8]) -> Self {
        let text = String::from_utf8(answer.to_vec()).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let headers: BTreeMap<_, _> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        assert!(!headers.contains_key("transfer-encoding"), "its length is told");
        Self { status: status.expect("a status"), headers, body: body.to_owned() }
    }

    /// A header; empty where it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The tags of a name, in order.
    #[must_use]
    pub fn tags(&self, name: &str) -> Vec<Tag> {
        let opening = format!("<{name}");
        let parts = self.body.split(&opening).skip(1);
        parts.filter(|part| part.starts_with([' ', '>'])).map(attributes).collect()
    }

    /// What the form carries besides what is filled in: the values of its hidden fields.
    #[must_use]
    pub fn hidden(&self) -> Vec<(String, String)> {
        let value = |tag: &Tag, name: &str| tag.get(name).cloned().unwrap_or_default();
        let all = self.tags("input");
        let hidden = all.iter().filter(|tag| value(tag, "type") == "hidden");
        hidden.map(|tag| (value(tag, "name"), value(tag, "value"))).collect()
    }

    /// Whether some tag has an id.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        self.body.contains(&format!(" id=\"{id}\""))
    }

    /// Whether it says something.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.body.contains(text)
    }
}

/// The attributes of a tag, from behind its name.
fn attributes(part: &str) -> Tag {
    let mut all = Tag::new();
    let mut rest = part;
    loop {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ', '>']).expect("a tag ends");
        let name = &rest[..end];
        if rest[end..].starts_with("=\"") {
            let (value, after) = rest[end + 2..].split_once('"').expect("a value ends");
            all.insert(name.to_owned(), unescaped(value));
            rest = after;
        } else {
            if !name.is_empty() {
                all.insert(name.to_owned(), String::new());
            }
            rest = &rest[end..];
            if rest.starts_with('>') {
                return all;
            }
        }
        if rest.starts_with('>') {
            return all;
        }
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_their_attributes() {
        let page = Page {
            status: 200,
            headers: BTreeMap::new(),
            body: "<form><input type=\"hidden\" name=\"a\" value=\"1 &amp; &lt;2>\"><inputs><input checked></form>"
                .into(),
        };
        assert_eq!(page.hidden(), [("a".to_owned(), "1 & <2>".to_owned())]);
        assert_eq!(page.tags("input")[1], Tag::from([("checked".to_owned(), String::new())]));
    }
}
