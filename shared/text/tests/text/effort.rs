//! Effort told in plain sentences, none of which stands in the lexicons.

use rapport_text::{Analyser, EffortKind, Taxonomy};

fn kinds(analyser: &Analyser, text: &str) -> Vec<EffortKind> {
    let told = analyser.analyse(text, None, &Taxonomy::default());
    told.efforts.iter().map(|cue| cue.kind).collect()
}

fn each_tells(kind: EffortKind, texts: &[&str]) {
    let analyser = Analyser::new();
    let missed: Vec<_> =
        texts.iter().map(|text| (text, kinds(&analyser, text))).filter(|(_, found)| !found.contains(&kind)).collect();
    assert!(missed.is_empty(), "{}: {missed:#?}", kind.name());
}

#[test]
fn being_sent_from_desk_to_desk_is_told() {
    each_tells(
        EffortKind::Transfer,
        &[
            "I was transferred from one agent to another.",
            "was transferred from one desk to another",
            "My call got bounced between three departments and nobody knew anything.",
            "We were sent from one counter to the next all morning.",
            "They keep passing me back and forth.",
            "Then she handed me over to a different colleague who hung up.",
            "I have been redirected twice already",
            "Got shuffled around for days",
            "They transferred me four times",
            "Меня перевели с одного специалиста на другого, потом ещё раз.",
            "Нас отправляли от одного окна к другому.",
            "Мой звонок три раза переключали",
            "Оператор перенаправил меня в другой отдел",
            "Из одного кабинета в другой посылали весь день",
            "من را از یک کارشناس به کارشناس دیگر وصل کردند",
            "از این میز به آن میز فرستادند",
            "مدام منو به یک بخش دیگه پاس میدادن",
            "سه بار منتقل شدم و جواب نگرفتم",
            "Am fost transferată de la un agent la altul.",
            "M-au trimis de la un ghișeu la celălalt toată dimineața",
            "Ne-au tot plimbat între trei birouri",
            "mă pasează mereu la alt coleg",
        ],
    );
}

#[test]
fn lost_time_is_told() {
    each_tells(
        EffortKind::Wait,
        &[
            "I waited for an hour.",
            "I had to wait two weeks",
            "We were waiting in line for more than half an hour",
            "Waited there for hours and left",
            "I spent forty minutes on hold before anybody answered",
            "They kept me waiting so long that I gave up",
            "It took them three weeks to send a label",
            "a two hour wait for a coffee",
            "Я ждала ответа почти час.",
            "Прождали курьера целый день",
            "Полчаса простояла в очереди",
            "Пришлось ждать мастера две недели",
            "Три месяца ожидаем возврата",
            "یک ساعت منتظر ماندم",
            "نیم ساعت تمام پشت خط بودم",
            "دو هفته صبر کردم تا جواب بدهند",
            "ما را سه ساعت معطل کردند",
            "Am așteptat o oră.",
            "Aștept rambursarea de trei săptămâni",
            "Am stat aproape jumătate de oră la telefon",
            "a durat două luni până au răspuns, o oră de așteptare la fiecare apel",
        ],
    );
}

#[test]
fn doing_it_again_is_told() {
    each_tells(
        EffortKind::Repeat,
        &[
            "I had to explain my problem again.",
            "I called them five times this week",
            "Each time I call I get another story",
            "They made me repeat my address to every new person",
            "We were asked to send the same papers again and again",
            "I keep explaining it and nobody writes it down",
            "I have written to support three times",
            "had to fill in the whole form twice",
            "Пришлось заново рассказывать всю историю.",
            "Звонила в банк раз пять, нет, шесть раз",
            "Каждому новому оператору объясняю всё сначала",
            "Снова и снова пишу в поддержку",
            "Опять пришлось объяснять",
            "مجبور شدم دوباره توضیح بدهم",
            "چهار بار با پشتیبانی تماس گرفتم",
            "هر بار از اول ماجرا را تعریف می‌کنم",
            "برای هر کارشناس دوباره شرح دادم",
            "Le-am explicat totul încă o dată.",
            "Le-am scris de cinci ori",
            "Trebuie să repet fiecărui operator aceeași poveste",
            "De fiecare dată trebuie să sun",
        ],
    );
}

#[test]
fn what_was_no_work_is_not_told() {
    let analyser = Analyser::new();
    let told: Vec<_> = [
        "I did not have to wait an hour, they came at once.",
        "No need to explain again, they knew it all.",
        "I was never transferred, one person solved it.",
        "The money was transferred from one account to another.",
        "I can't wait to try it!",
        "Lovely food, friendly staff, I will come again.",
        "I ordered two and gave one to my sister.",
        "She sent me a photo of the box.",
        "The room is an hour from the airport.",
        "Не пришлось ждать ни минуты.",
        "Деньги перевели на карту за час.",
        "Не нужно было объяснять заново.",
        "Заказал снова, всё отлично.",
        "لازم نبود دوباره توضیح بدهم",
        "اصلا منتظر نماندم",
        "Nu a trebuit să aștept deloc.",
        "Am comandat din nou, totul perfect.",
        "Banii au fost transferați în cont.",
    ]
    .iter()
    .map(|text| (*text, kinds(&analyser, text)))
    .filter(|(_, found)| !found.is_empty())
    .collect();
    assert!(told.is_empty(), "{told:#?}");
}
