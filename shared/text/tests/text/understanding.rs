//! What the analyser understands, one sentence at a time.

use rapport_text::{Analyser, EffortKind, Emotion, Language, Polarity, Taxonomy, TaxonomyFault, Topic};

fn polarity(analyser: &Analyser, text: &str) -> Polarity {
    analyser.analyse(text, None, &Taxonomy::default()).sentiment.polarity
}

#[test]
fn negation_turns_praise_in_every_language() {
    let analyser = Analyser::new();
    for (praise, complaint) in [
        ("The staff are friendly.", "The staff are not very friendly."),
        ("Качество хорошее.", "Качество совсем не хорошее."),
        ("از خریدم راضی هستم.", "از خریدم راضی نیستم."),
        ("Sunt mulțumit de servicii.", "Nu sunt deloc mulțumit de servicii."),
        ("kheyli razi hastam", "aslan razi nistam"),
        ("ya dovolen pokupkoy", "ya ne dovolen pokupkoy"),
    ] {
        assert_eq!(polarity(&analyser, praise), Polarity::Positive, "{praise}");
        assert_eq!(polarity(&analyser, complaint), Polarity::Negative, "{complaint}");
    }
}

#[test]
fn what_follows_a_but_counts_for_more() {
    let analyser = Analyser::new();
    for (text, expected) in [
        ("The food was good, but the service was terrible.", Polarity::Negative),
        ("Доставка долгая, но товар отличный.", Polarity::Positive),
        ("سایت قشنگ است ولی پشتیبانی افتضاح است.", Polarity::Negative),
        ("Scump, dar calitatea este excelentă.", Polarity::Positive),
    ] {
        assert_eq!(polarity(&analyser, text), expected, "{text}");
    }
}

#[test]
fn emphasis_makes_it_stronger() {
    let analyser = Analyser::new();
    let value = |text: &str| analyser.analyse(text, None, &Taxonomy::default()).sentiment.value;
    let plain = value("The delivery was good.");
    for stronger in [
        "The delivery was very good.",
        "The delivery was GOOD.",
        "The delivery was goooood.",
        "The delivery was good!!!",
        "The delivery was good 😊",
    ] {
        assert!(value(stronger) > plain, "{stronger}");
    }
    assert!(value("The delivery was slightly good.") < plain);
}

#[test]
fn misspelt_and_undressed_words_are_understood() {
    let analyser = Analyser::new();
    for (text, expected) in [
        ("absolutly terible experiense", Polarity::Negative),
        ("excelent, thank you", Polarity::Positive),
        ("ужастный сервис", Polarity::Negative),
        ("multumesc, sunt foarte incantata", Polarity::Positive),
        ("كيفيت عالي بود", Polarity::Positive),
        ("ochen plokhoe obsluzhivanie", Polarity::Negative),
        ("keyfiyatesh aali bood", Polarity::Positive),
    ] {
        assert_eq!(polarity(&analyser, text), expected, "{text}");
    }
}

#[test]
fn the_words_that_decided_are_spans_of_the_text() {
    let analyser = Analyser::new();
    let text = "Курьер был вежливый, но посылка мятая.";
    let told = analyser.analyse(text, None, &Taxonomy::default());
    let words: Vec<&str> = told.sentiment.evidence.iter().map(|evidence| &text[evidence.start..evidence.end]).collect();
    assert!(words.contains(&"вежливый") && words.contains(&"мятая"), "{words:?}");
}

#[test]
fn languages_are_told_apart_in_two_words() {
    let analyser = Analyser::new();
    for (text, language, transliterated) in [
        ("great service", Language::English, false),
        ("foarte bine", Language::Romanian, false),
        ("servicii bune", Language::Romanian, false),
        ("очень плохо", Language::Russian, false),
        ("خیلی خوب", Language::Persian, false),
        ("ochen ploho", Language::Russian, true),
        ("kheyli khub", Language::Persian, true),
    ] {
        let found = analyser.detect(text);
        assert_eq!((found.language, found.transliterated), (Some(language), transliterated), "{text}");
    }
    assert_eq!(analyser.detect("12345 !!!").language, None);
    assert_eq!(analyser.detect("很好").language, None);
}

#[test]
fn emotions_and_effort_are_found() {
    let analyser = Analyser::new();
    for (text, emotion) in [
        ("I am furious, this is outrageous.", Emotion::Anger),
        ("Очень жаль, я разочарована.", Emotion::Sadness),
        ("خیلی نگرانم", Emotion::Fear),
        ("Ce surpriză, nu mă așteptam!", Emotion::Surprise),
        ("Фу, отвратительный запах", Emotion::Disgust),
        ("دمتون گرم، خیلی خوشحالم", Emotion::Joy),
    ] {
        let told = analyser.analyse(text, None, &Taxonomy::default());
        assert!(told.emotions.iter().any(|score| score.emotion == emotion), "{text}: {:?}", told.emotions);
    }
    for (text, kind) in [
        ("I had to call three times.", EffortKind::Repeat),
        ("Звонила 4 раза, всё без толку", EffortKind::Repeat),
        ("چهار بار زنگ زدم", EffortKind::Repeat),
        ("Am sunat de trei ori.", EffortKind::Repeat),
        ("I was on hold for an hour", EffortKind::Wait),
        ("Это целый квест, еле нашла", EffortKind::Struggle),
        ("M-au plimbat de la un operator la altul", EffortKind::Transfer),
    ] {
        let told = analyser.analyse(text, None, &Taxonomy::default());
        assert!(told.efforts.iter().any(|cue| cue.kind == kind), "{text}: {:?}", told.efforts);
    }
}

#[test]
fn the_standard_topics_are_found_in_every_language() -> Result<(), TaxonomyFault> {
    let analyser = Analyser::new();
    let taxonomy = Taxonomy::compile(&Taxonomy::standard())?;
    assert_eq!(Taxonomy::standard().len(), 10);
    for (text, topics) in [
        ("The courier lost my parcel and the refund never came.", ["delivery", "refund"]),
        ("Приложение вылетает при оплате.", ["app", "billing"]),
        ("قیمت گران و اینترنت قطع است.", ["price", "connection"]),
        ("Personalul e amabil, dar am așteptat la coadă.", ["staff", "waiting"]),
    ] {
        let told = analyser.analyse(text, None, &taxonomy);
        let found: Vec<&str> = told.topics.iter().map(|topic| topic.topic.as_str()).collect();
        assert!(topics.iter().all(|topic| found.contains(topic)), "{text}: {found:?}");
    }
    Ok(())
}

#[test]
fn a_tenants_own_topics_are_compiled_and_bad_ones_refused() -> Result<(), TaxonomyFault> {
    let analyser = Analyser::new();
    let topic = |id: &str, rule: &str| Topic { id: id.to_owned(), rules: vec![(None, rule.to_owned())] };
    let taxonomy = Taxonomy::compile(&[topic("rival", "Acme Telecom")])?;
    let told = analyser.analyse("I am moving to ACME Telecom next week.", None, &taxonomy);
    assert_eq!(told.topics.len(), 1);
    assert_eq!(told.topics[0].spans.len(), 1);
    assert!(matches!(Taxonomy::compile(&[topic("a", " ! ")]), Err(TaxonomyFault::BadRule { .. })));
    assert!(matches!(Taxonomy::compile(&[topic("a", "x"), topic("a", "y")]), Err(TaxonomyFault::Twice { .. })));
    assert!(matches!(Taxonomy::compile(&[topic("a", "1 b c d e f g h i j")]), Err(TaxonomyFault::BadRule { .. })));
    Ok(())
}

#[test]
fn search_terms_meet_across_spellings() {
    let analyser = Analyser::new();
    let terms = |text: &str, language| {
        analyser.search_terms(text, Some(language)).into_iter().map(|term| term.stem).collect::<Vec<_>>()
    };
    assert_eq!(terms("Mulţumesc", Language::Romanian), terms("mulțumesc", Language::Romanian));
    assert_eq!(terms("ещё", Language::Russian), terms("еще", Language::Russian));
    assert_eq!(terms("كتاب‌هاي", Language::Persian), terms("کتابهای", Language::Persian));
}

#[test]
fn what_has_no_word_of_a_language_is_in_none() {
    let analyser = Analyser::new();
    for text in
        ["[card] [iban] [cvv]", "[secret]", "aaaaaa", "zzxq wvvk", "qwrtp", "xkcd plgh vwrt nmkl", "[ssn], [cnp]: 12"]
    {
        let found = analyser.detect(text);
        assert_eq!((found.language, found.transliterated), (None, false), "{text}");
        assert!(found.confidence < 0.1, "{text}: {}", found.confidence);
    }
    assert_eq!(analyser.detect(&"a".repeat(99_999)).language, None);
    let masked = analyser.detect("Плохо, моя карта [card] [iban] [cvv] [secret]");
    assert_eq!((masked.language, masked.transliterated), (Some(Language::Russian), false));
    assert!(masked.confidence > 0.9);
}

#[test]
fn words_of_a_mask_are_not_the_customers() {
    let analyser = Analyser::new();
    let taxonomy = Taxonomy::compile(&Taxonomy::standard()).expect("the taxonomy that ships compiles");
    let told = analyser.analyse("[card] [secret]", None, &taxonomy);
    assert!(told.topics.is_empty() && told.sentiment.evidence.is_empty(), "{told:?}");
}

#[test]
fn a_negated_saying_negates_what_is_said() {
    let analyser = Analyser::new();
    for (text, expected) in [
        ("Не могу сказать, что доволен", Polarity::Negative),
        ("Не думаю, что магазин хороший", Polarity::Negative),
        ("Нельзя сказать, что сервис удобный.", Polarity::Negative),
        ("Я бы не сказала, что обслуживание вежливое", Polarity::Negative),
        ("Не могу не сказать, что доволен", Polarity::Positive),
        ("Могу сказать, что доволен", Polarity::Positive),
        ("I cannot say that I am happy", Polarity::Negative),
        ("Nu pot spune că sunt mulțumit", Polarity::Negative),
        ("نمی‌توانم بگویم که راضی هستم", Polarity::Negative),
        ("فکر نمی‌کنم خوب باشد", Polarity::Negative),
    ] {
        assert_eq!(polarity(&analyser, text), expected, "{text}");
    }
}

#[test]
fn chat_spelling_is_understood_and_plain_questions_are_neutral() {
    let analyser = Analyser::new();
    for (text, expected) in [
        ("luv it sooo much", Polarity::Positive),
        ("gr8 shop", Polarity::Positive),
        ("this app sux", Polarity::Negative),
        ("Cum îmi schimb adresa?", Polarity::Neutral),
        ("Cum îmi modific parola?", Polarity::Neutral),
        ("Unde îmi găsesc factura?", Polarity::Neutral),
        ("How do I change my address?", Polarity::Neutral),
        ("Как мне поменять адрес?", Polarity::Neutral),
        ("چطور آدرسم را عوض کنم؟", Polarity::Neutral),
    ] {
        assert_eq!(polarity(&analyser, text), expected, "{text}");
    }
}

#[test]
fn the_names_of_brands_weigh_nothing() {
    let analyser = Analyser::new();
    for name in [
        "Amazon",
        "eBay",
        "IMDb",
        "Yelp",
        "Netflix",
        "AliExpress",
        "Walmart",
        "Apple",
        "Samsung",
        "Nokia",
        "Google",
        "Disney",
        "Pixar",
        "MTV",
        "HBO",
        "Uber",
        "Ozon",
        "Wildberries",
        "eMAG",
        "OLX",
        "Digikala",
        "IKEA",
        "Target",
        "Barbie",
        "DreamWorks",
        "Etsy",
        "PayPal",
        "Booking",
        "Costco",
        "Nike",
        "Visa",
        "Kindle",
        "Hulu",
    ] {
        for text in [format!("I ordered it on {name}"), format!("The film is on {name}")] {
            let told = analyser.analyse(&text, Some(Language::English), &Taxonomy::default());
            let at = text.find(name).expect("the name is in the text");
            let weighed: Vec<_> = told.sentiment.evidence.iter().filter(|evidence| evidence.end > at).collect();
            assert!(weighed.is_empty(), "{text}: {weighed:?}");
        }
    }
}
