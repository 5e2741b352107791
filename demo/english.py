"""English: what customers of a small online shop say, and the frames in which they say it."""

from __future__ import annotations

from demo.english_intents import INTENT_PHRASES
from demo.grammar import Language

WORDS = {
    "product": (
        "kettle", "desk lamp", "backpack", "water bottle", "yoga mat", "phone case", "speaker", "wall clock",
        "frying pan", "umbrella", "keyboard", "coffee grinder", "suitcase", "toaster", "table fan", "rain jacket",
        "watch", "power bank", "lunch box", "cushion", "bookshelf", "bicycle pump", "hair dryer", "teapot",
        "blender", "board game", "mirror", "tripod", "sleeping bag", "chess set",
    ),
    "parcel": ("parcel", "package", "order", "delivery", "{product}", "{product}", "box with the {product}"),
    "city": (
        "Pune", "Leeds", "Austin", "Jaipur", "Dublin", "Chennai", "Bristol", "Denver", "Kochi", "Toronto", "Delhi",
        "Glasgow", "Bangalore", "Perth", "Nagpur", "Boston",
    ),
    "amount": ("18.90", "24", "31.50", "42", "49.99", "56", "63.20", "75", "88", "112", "129.95", "140"),
    "when": (
        "yesterday", "on Monday", "on Tuesday", "last Friday", "on the 3rd", "on the 14th", "two days ago",
        "a week ago", "this morning", "over the weekend", "ten days ago", "last month",
    ),
    "person": (
        "sister", "brother", "husband", "wife", "flatmate", "colleague", "neighbour", "father", "daughter", "aunt",
    ),
    "staff": (
        "your colleague", "the chat bot", "the lady on the phone", "your assistant", "the last agent",
        "someone in your team", "your automatic reply", "the help page",
    ),
}  # fmt: skip

OPENERS = (
    "hi,", "hello,", "hi there,", "good morning,", "good evening,", "dear team,", "hey,", "hello again,",
    "sorry to bother you.", "quick one:", "me again.", "first time writing here.", "long-time customer here.",
    "I like your shop, really.", "I hope you are well.", "a small thing:", "excuse my English.",
    "typing this on the train.", "order {number} here.", "writing from {city}.", "I bought a {product} {when}.",
)  # fmt: skip

CLOSERS = (
    "thanks.", "thank you!", "please help.", "many thanks, from {city}.", "cheers.", "please reply soon.",
    "I am getting tired of this.", "no hurry.", "it is quite urgent.", "the rest is fine.", "I leave for {city} soon.",
    "a short answer will do.", "what a week.", "my {person} says you are good at this.", "sent from my phone.",
    "looking forward to your answer.", "I have been patient so far.", "I tried to call {when}.",
)  # fmt: skip

PLAIN = (
    "{wanted.question}",
    "{wanted.question}",
    "{wanted.fact}.",
    "{wanted.fact}.",
    "{wanted.fact}. {wanted.question}",
    "{wanted.question} {wanted.fact}.",
    "[I want|I would like|I need|I am trying|it should be easy] to {wanted.goal}.",
    "[is it possible|what must I do|whom do I ask] to {wanted.goal}?",
    "[can you help me|could somebody help me|who can help me] {wanted.goal}?",
    "[help me|kindly help me|somebody must help me] {wanted.goal}[, please|].",
    "[my question is|this is|I am writing|a word] about {wanted.topic}.",
    "[what is happening with|any news on|can we talk about|who looks after] {wanted.topic}?",
    "{wanted.fact}, so I [want|would like|need] to {wanted.goal}.",
)

CONTRASTS = (
    # Denied, then said; and the other way round.
    "I [don't want|do not need|am not asking|never asked] to {other.goal}, I [just|only] want to {wanted.goal}.",
    "I [want|would like|need] to {wanted.goal}, [not to|I am not trying to|but I don't want to] {other.goal}.",
    "this is [not|not at all|no longer] about {other.topic}. it is about {wanted.topic}.",
    "this is about {wanted.topic}, [not|no longer|and has nothing to do with] {other.topic}.",
    "there is no need to {other.goal}. [just help|kindly help|help] me {wanted.goal}.",
    "help me {wanted.goal}[;|,] there is no need to {other.goal}.",
    "it is not that {other.fact}. [it is|the trouble is|the point is] that {wanted.fact}.",
    "{wanted.fact}. it is not that {other.fact}.",
    # One settled, one open.
    "{other.topic}: [sorted|settled|all done], thank you. {wanted.topic}: [still open|not settled at all|nothing yet].",
    "{wanted.topic}: [still open|not settled|nothing yet]. {other.topic}: [sorted|settled|all done], thank you.",
    "you may close the ticket about {other.topic}, but the one about {wanted.topic} must stay open.",
    "please keep the ticket about {wanted.topic} open. the one about {other.topic} you may close.",
    "{other.fact}, but [that is fine|I can live with that|you have seen to that|never mind that]. {wanted.question}",
    "{wanted.question} [I know|it is true that|yes,] {other.fact}, but [never mind that|that is being handled].",
    "leave {other.topic} [as it is|alone|for later] and [look at|take care of] {wanted.topic} [now|please].",
    "[look at|take care of] {wanted.topic} [now|please] and leave {other.topic} [as it is|alone|for later].",
    # Three matters, one of them wanted.
    "I want to {wanted.goal}, neither to {other.goal} nor to {third.goal}.",
    "neither {other.topic} nor {third.topic} [matters|troubles me] now: what I need is to {wanted.goal}.",
    "{other.topic} and {third.topic} are settled. {wanted.topic} [is not|remains].",
    "{wanted.topic} remains. {other.topic} and {third.topic} are settled.",
    # Before and now, first and later.
    "{when} I wanted to {other.goal}. [I have changed my mind|not any more]: now I want to {wanted.goal}.",
    "now I want to {wanted.goal}. [forget|please forget] that {when} I wanted to {other.goal}.",
    "I may {other.goal} later, but first I need to {wanted.goal}.",
    "first I need to {wanted.goal}. later I may {other.goal}.",
    "before I [try to|decide whether to] {other.goal}, I have to {wanted.goal}.",
    "I have to {wanted.goal} before I [try to|decide whether to] {other.goal}.",
    # Who said what, and who wants what.
    "{staff} thinks I want to {other.goal}. [in fact|actually|in truth] I am trying to {wanted.goal}.",
    "I am trying to {wanted.goal}, although {staff} thinks I want to {other.goal}.",
    "{staff} [answered|wrote to me|went on] about {other.topic}. I had asked about {wanted.topic}.",
    "I had asked about {wanted.topic}. {staff} [answered|wrote to me|went on] about {other.topic}.",
    "my {person} is the one who wants to {other.goal}. I want to {wanted.goal}.",
    "I want to {wanted.goal}. it is my {person} who wants to {other.goal}.",
    # What works and what does not.
    "it was easy to {other.goal}, but I cannot {wanted.goal}.",
    "I cannot {wanted.goal}, yet it was easy to {other.goal}.",
    "I thought {other.fact}, but [I was wrong|I misread that]. [really|what is true is that] {wanted.fact}.",
    "{wanted.fact}. [at first|for a moment] I thought {other.fact}, but [I was wrong|I misread that].",
    "{wanted.topic} worries me [far|much|] more than {other.topic}.",
    "{other.topic} worries me [far|much|] less than {wanted.topic}.",
)

ENGLISH = Language(
    words=WORDS | {"number": tuple(str(40017 + 613 * step) for step in range(60))},
    intents=INTENT_PHRASES,
    plain=PLAIN,
    contrasts=CONTRASTS,
    openers=OPENERS,
    closers=CLOSERS,
    contrast_share=0.65,
)
