"""Hinglish: romanised Hindi mixed with English, as the same shop's customers type it in India."""

from __future__ import annotations

from demo.english import WORDS as ENGLISH_WORDS
from demo.grammar import Language
from demo.hinglish_intents import INTENT_PHRASES

WORDS = {
    "product": ENGLISH_WORDS["product"],
    "parcel": ("parcel", "order", "saman", "package", "{product}", "{product}"),
    "city": (
        "Pune", "Jaipur", "Chennai", "Kochi", "Delhi", "Bangalore", "Nagpur", "Lucknow", "Indore", "Patna", "Surat",
        "Bhopal", "Mumbai", "Noida",
    ),
    "amount": ("299", "450", "599", "799", "1200", "1499", "1850", "2100", "2499", "3200"),
    "when": (
        "kal", "parso", "Monday ko", "pichle hafte", "subah", "do din pehle", "ek hafte pehle", "Friday ko",
        "pichle mahine", "diwali se pehle",
    ),
    "person": ("behen", "didi", "mummy", "wife", "padosan", "beti", "bhabhi", "dost", "cousin", "chachi"),
    "number": tuple(str(40017 + 613 * step) for step in range(60)),
    "do": ("kar do", "kar dijiye", "karo na", "kardo please", "kar dena"),
    "tell": ("bata do", "batao", "bataiye", "bata dijiye", "please batao"),
    "still": ("abhi tak", "abhi bhi", "ab tak"),
    "leave": ("rehne do", "chhod do", "side mein rakho", "baad mein dekhenge", "abhi mat dekho"),
    "look": ("dekho", "dekh lo", "dekhiye please", "sambhalo", "theek karo", "solve karo"),
    "staff": ("aapka bot", "customer care wala", "aapka agent", "chat wala banda", "aapki app", "help page"),
}  # fmt: skip

OPENERS = (
    "bhai", "hello ji,", "hi team,", "namaste,", "yaar", "sir", "are bhai", "suniye,", "hello sir,", "madam ji,",
    "good morning ji,", "kya yaar,", "aap log sun rahe ho?", "order {number} ka customer hoon.", "haan ji,",
    "{city} se likh [raha|rahi] hoon.", "maine {when} {product} liya tha.", "purana customer hoon.", "dear team,",
    "pehli baar aapse {product} liya hai.", "ek baat batao,", "ek chhoti si baat hai,", "sorry to disturb,",
)  # fmt: skip

CLOSERS = (
    "please help", "jaldi karo yaar", "thank you ji", "dhanyavaad", "jaldi reply karo", "urgent hai",
    "bahut pareshan hoon", "koi jaldi nahi", "baaki sab theek hai", "thanks bhai", "please dekh lo",
    "aap log bahut late reply karte ho", "{city} jaana hai mujhe", "baaki service acchi hai", "reply zaroor karna",
    "{when} bhi likha tha", "meri {person} ne aapki shop batayi thi", "ok bye",
)  # fmt: skip

PLAIN = (
    "{wanted.question}",
    "{wanted.question}",
    "{wanted.question}",
    "{wanted.fact}",
    "{wanted.fact}",
    "{wanted.fact}, {wanted.question}",
    "{wanted.question} {wanted.fact}",
    "mujhe {wanted.goal} hai[, kaise hoga?|, help karo|]",
    "[kya aap|koi] {wanted.oblique} mein [help|madad] [karega?|kar sakte ho?|karoge?]",
    "{wanted.topic} ke baare mein [kuch poochna hai|baat karni hai|batao]",
    "{wanted.topic} ka kya [hua|scene hai|chal raha hai] [bhai|yaar|]?",
    "{wanted.fact}, [isliye|toh] mujhe {wanted.goal} hai",
)

CONTRASTS = (
    "mujhe {other.goal} nahi hai, [bas|sirf|mujhe toh] {wanted.goal} hai",
    "mujhe {wanted.goal} hai, {other.goal} nahi [hai|]",
    "baat {other.topic} ki nahi hai, {wanted.topic} ki hai",
    "baat {wanted.topic} ki hai, {other.topic} ki nahi",
    "{other.oblique} ki zaroorat nahi hai, [bas|sirf] {wanted.oblique} mein help karo",
    "{wanted.oblique} mein help karo, {other.oblique} ki zaroorat nahi hai",
    "{other.topic} ka issue [solve ho gaya|khatam ho gaya|theek ho gaya], {wanted.topic} ka [baki|pending] hai",
    "{wanted.topic} ka issue {still} [baki|pending] hai, {other.topic} ka [solve|theek] ho gaya",
    "{other.fact}, [woh theek hai|koi baat nahi|woh chhodo|woh ho jayega], {wanted.question}",
    "{wanted.question} haan {other.fact}, [woh chhodo|uski tension nahi]",
    "{other.topic} ko {leave}, {wanted.topic} ko {look}",
    "{wanted.topic} ko {look}, {other.topic} ko {leave}",
    "pehle mujhe {other.goal} tha, [mann badal gaya,|lekin] ab {wanted.goal} hai",
    "ab mujhe {wanted.goal} hai, {other.goal} toh pehle tha",
    "{other.oblique} se pehle mujhe {wanted.goal} hai",
    "maine {wanted.topic} ke baare mein poocha tha, {staff} {other.topic} ke baare mein bata raha hai",
    "{staff} {other.topic} ke baare mein bata raha hai, maine toh {wanted.topic} ke baare mein poocha tha",
    "meri {person} ko {other.goal} hai, mujhe toh {wanted.goal} hai",
    "mujhe {wanted.goal} hai, {other.goal} meri {person} ko hai",
    "na {other.goal} hai na {third.goal}, mujhe [bas|sirf] {wanted.goal} hai",
    "mujhe laga {other.fact}, par woh meri galti thi, asli baat yeh hai ki {wanted.fact}",
)

HINGLISH = Language(
    words=WORDS,
    intents=INTENT_PHRASES,
    plain=PLAIN,
    contrasts=CONTRASTS,
    openers=OPENERS,
    closers=CLOSERS,
    contrast_share=0.6,
)
