"""Hinglish phrases of the eight intents, in the forms of `demo.english_intents` and one more.

goal: an infinitive, as in "mujhe ... hai". oblique: the same before a postposition, as in "... ke liye"; it is
derived from the goal. topic: the matter as a noun. fact: what has happened. question: a request by itself.
"""

from __future__ import annotations

import re

PHRASES = {
    "order_status": {
        "goal": (
            "parcel ka status jaanna", "apna {parcel} track karna", "{product} kab aayega yeh poochna",
            "delivery ki date jaanna", "{parcel} kahan tak pahucha yeh jaanna", "{product} ki location dekhna",
            "courier wale se {parcel} ka pata karna",
        ),
        "topic": (
            "{parcel} ki location", "late delivery", "{product} ki delivery date", "{parcel} ki tracking",
            "{product} ke aane ke time", "{parcel} ke status", "courier ki deri",
        ),
        "fact": (
            "mera {parcel} {still} nahi aaya", "do hafte ho gaye aur darwaze pe kuch nahi aaya",
            "tracking {city} pe atki hui hai", "delivered dikha raha hai par mila kuch nahi",
            "{product} {when} aana tha, {still} intezaar kar raha hoon",
            "teen din se ghar pe baitha hoon, koi nahi aaya", "{parcel} {city} mein hi pada hai",
            "shaadi nikal gayi aur {product} pahucha hi nahi", "sabka saman aa gaya, mera hi reh gaya",
            "dus din se bas out for delivery dikha raha hai",
        ),
        "question": (
            "mera {parcel} kahan hai?", "{product} kab aayega?", "kitne din aur lagenge?", "{parcel} nikla ki nahi?",
            "kab tak milega {product}?", "delivery kab hogi yaar?", "{parcel} kahan atka hai, {tell}",
            "aaj aayega kya mera {parcel}?", "where is my {parcel}, kuch pata hai?",
            "tracking update kyun nahi ho rahi?",
        ),
    },
    "refund_request": {
        "goal": (
            "paise wapas lena", "{product} ka refund lena", "{product} return karke paise lena",
            "apne {amount} rupaye wapas lena", "{product} wapas karna aur refund lena", "refund claim karna",
            "{product} ka pura paisa wapas lena",
        ),
        "topic": (
            "{product} ke refund", "mere {amount} wapas milne", "refund ke paise",
            "wapas kiye hue {product} ke paise", "{product} ke return", "atke hue refund", "paise wapsi",
        ),
        "fact": (
            "{product} wapas bhej diya par paise {still} nahi aaye", "{amount} ka refund {when} aana tha",
            "{product} pasand nahi aaya, paise wapas chahiye", "aapke paas {product} bhi hai aur mere paise bhi",
            "{product} bada nikla, rakhna nahi hai, paise hi de do", "return pickup {when} ho gaya, refund nahi mila",
            "aap logo ne bola tha {amount} wapas aayenge", "{product} use bhi nahi kiya, return karna hai",
            "mere {amount} abhi tak aap logo ke paas hain", "refund approved likha hai par mila nahi",
        ),
        "question": (
            "mera paise kab wapas milega?", "refund kab aayega?", "mujhe mere {amount} wapas chahiye",
            "paise wapas {do}", "{product} ka refund {do}", "refund milega ya nahi?",
            "return kaise karu, paise chahiye", "I want my money back yaar", "{product} lelo aur paise de do",
            "mera refund kahan atka hai?",
        ),
    },
    "cancel_order": {
        "goal": (
            "order cancel karna", "{product} ka order rokna", "{when} wala order hatana", "{product} order se hatana",
            "order {number} cancel karwana", "ek extra {product} cancel karna", "{product} bhejne se rukwana",
        ),
        "topic": (
            "order cancel karne", "{product} ki cancellation", "galti se kiye order", "cancel request",
            "{product} ka order rokne", "order {number} ki cancellation", "extra {product} hatane",
        ),
        "fact": (
            "galti se do {product} order ho gaye", "bachche ne phone se {product} order kar diya",
            "ab {product} ki zaroorat nahi, mat bhejna", "{product} paas ki dukaan mein sasta mil gaya, mat bhejo",
            "meri {person} ne pehle hi {product} de diya, ab order nahi chahiye", "galat button dab gaya {when}",
            "plan badal gaya, ab yeh order nahi chahiye", "order {number} galti se ho gaya",
            "ek {product} chahiye tha, teen lag gaye cart mein", "{product} abhi nikla nahi hai toh rok lo",
        ),
        "question": (
            "order cancel {do}", "{product} mat bhejo", "cancel ho sakta hai kya abhi?", "order rok do please",
            "order {number} cancel kaise karu?", "please cancel my order bhai", "{product} ko order se hata do",
            "cancel ka option kahan hai?", "{when} wala order hata do", "mera order radd {do}",
        ),
    },
    "change_address": {
        "goal": (
            "delivery address badalna", "naya pata dena", "{parcel} {city} bhejwana", "pincode theek karwana",
            "ghar ki jagah office pe mangwana", "makan number sahi karwana", "{parcel} {person} ke ghar bhejwana",
        ),
        "topic": (
            "delivery address", "galat pincode", "naye pate", "ghar ke number", "order ke address",
            "{city} wale address", "address change",
        ),
        "fact": (
            "{parcel} purane ghar ja raha hai", "main {when} {city} shift ho gaya hoon",
            "address mein flat number likhna bhool gaya", "pincode galat dal gaya order mein",
            "{product} meri {person} ko {city} mein chahiye, mere ghar nahi", "order pe purana address likha hai",
            "main us din {city} mein rahunga, ghar pe nahi", "gali ka naam galat likh diya maine",
            "office ab {city} mein hai, purani building band hai", "makan 12 likh diya, hum 21 mein rehte hain",
        ),
        "question": (
            "address badal do please", "address change {do}", "{city} bhej sakte ho kya?", "naya address kahan dalu?",
            "{parcel} office pe bhej do", "pincode sahi {do}", "kya {parcel} {person} ke ghar aa sakta hai?",
            "address update kaise hoga?", "flat number add {do}", "please change address to {city}",
        ),
    },
    "payment_problem": {
        "goal": (
            "payment karna", "double payment theek karwana", "do baar kate paise ka pata karna", "card se pay karna",
            "UPI wali dikkat theek karna", "bill ka amount sahi karwana", "coupon lagana",
        ),
        "topic": (
            "double payment", "payment fail hone", "kate hue {amount}", "card decline hone", "UPI error",
            "bill ke galat amount", "coupon na lagne",
        ),
        "fact": (
            "card se do baar paise kat gaye", "payment fail bol raha hai par {amount} kat gaye",
            "pay karte hi page atak jata hai", "UPI se payment nahi ho raha", "bill mein {amount} zyada lage hain",
            "bank se {amount} kata, app mein unpaid dikha raha hai",
            "card mein paise hain phir bhi decline ho raha hai", "coupon dala par ek rupaya kam nahi hua",
            "statement mein {amount} do baar hai", "payment ka OTP aata hi nahi",
        ),
        "question": (
            "do baar paise kyun kate?", "payment kyun nahi ho raha?", "{amount} kis cheez ka kata?",
            "card kyun nahi chal raha?", "UPI se kaise pay karu?", "payment hua ki nahi, {tell}",
            "yeh extra {amount} kyun?", "double charge theek {do}", "cash on delivery se de sakta hoon kya?",
            "my payment failed, ab kya karu?",
        ),
    },
    "damaged_item": {
        "goal": (
            "toota hua {product} badalwana", "kharab {product} ki complaint karna", "{product} ka replacement lena",
            "{product} repair karwana", "toote {product} ki photo bhejna", "{product} ka missing part lena",
            "damaged {product} exchange karna",
        ),
        "topic": (
            "toote hue {product}", "kharab {product}", "{product} ki crack", "{product} ke replacement",
            "{product} ke missing part", "damaged {product}", "{product} pe scratch",
        ),
        "fact": (
            "{product} toota hua nikla", "{product} ek din mein kharab ho gaya", "{product} mein crack hai",
            "dabba geela tha aur {product} kharab tha", "{product} chalu hi nahi hota",
            "{product} ka ek part gayab hai", "box khola toh {product} ke tukde nikle",
            "naye {product} pe scratch hai", "{product} haath mein lete hi toot gaya",
            "{product} se jalne ki smell aa rahi hai",
        ),
        "question": (
            "toota {product} badal do", "dusra {product} bhejo jo chale", "{product} ka replacement {do}",
            "{product} repair hoga kya?", "tooti cheez kyun bheji?", "photo kahan bheju crack ki?",
            "missing part bhej do", "kharab {product} exchange {do}", "please replace, {product} damaged hai",
            "itni kharab packing kyun?",
        ),
    },
    "account_access": {
        "goal": (
            "account mein login karna", "password reset karna", "account unlock karwana", "login ka OTP lena",
            "naye phone se sign in karna", "apna account kholna", "login wala email badalna",
        ),
        "topic": (
            "account login", "password reset", "locked account", "login OTP", "sign in ki dikkat", "mere user id",
            "password link",
        ),
        "fact": (
            "login nahi ho raha", "password sahi hai phir bhi galat bol raha hai",
            "account lock ho gaya teen try ke baad", "login ka OTP nahi aa raha", "password bhool gaya hoon",
            "reset wala link khulta hi nahi", "app kholte hi bahar nikal deta hai",
            "mera number badal gaya, OTP purane pe ja raha hai", "mera account hi gayab ho gaya {when} se",
            "email daalo toh user not found aata hai",
        ),
        "question": (
            "login kaise karu?", "account unlock {do}", "password reset link bhejo",
            "mera account kyun nahi khul raha?", "OTP kyun nahi aa raha login ka?", "dusre phone se login hoga kya?",
            "mera login theek {do}", "user id kya hai mera?", "baar baar logout kyun ho raha hai?",
            "I can't log in, kuch {do}",
        ),
    },
    "product_question": {
        "goal": (
            "{product} ka size poochna", "{product} ke colours jaanna", "{product} ki warranty jaanna",
            "{product} ke baare mein poochna", "{product} ka material jaanna", "{product} kitna bhari hai yeh jaanna",
            "do {product} compare karna",
        ),
        "topic": (
            "{product} ke size", "{product} ke colours", "{product} ki warranty", "{product} ke material",
            "{product} ki quality", "{product} ke stock", "{product} ke features",
        ),
        "fact": (
            "page pe {product} ka size nahi likha", "photo mein {product} sirf kaala dikha raha hai",
            "samajh nahi aa raha kaunsa {product} lu", "{product} chhe saal ke bachche ko gift dena hai",
            "{product} ki details adhuri likhi hain", "neele rang ka {product} out of stock hai",
            "{product} waterproof hai ya nahi, page pe nahi likha", "dono {product} ek jaise lag rahe hain",
            "lene se pehle {product} ka weight dekhna tha", "{product} kis cheez ka bana hai kahin nahi likha",
        ),
        "question": (
            "{product} kitna bada hai?", "{product} green mein milega kya?", "{product} kis cheez ka bana hai?",
            "{product} dho sakte hain kya?", "warranty kitne saal ki hai?", "{product} travel ke liye accha hai?",
            "{product} phir se kab stock mein aayega?", "{product} battery se chalta hai kya?",
            "dono mein se kaunsa lu?", "{product} ki quality kaisi hai?",
        ),
    },
}  # fmt: skip


def oblique(goal: str) -> str:
    """A Hindi infinitive as it stands before a postposition: karna becomes karne."""
    return re.sub(r"na\b(?= aur |$)", "ne", goal)


INTENT_PHRASES = {
    intent: forms | {"oblique": tuple(oblique(goal) for goal in forms["goal"])} for intent, forms in PHRASES.items()
}
