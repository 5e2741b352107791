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
            "courier se {parcel} ka pata karna",
        ),
        "topic": (
            "{parcel} ki location", "late delivery", "{product} ki delivery date", "{parcel} ki tracking",
            "{product} ke aane ke time", "{parcel} ke status", "courier ki deri",
        ),
        "fact": (
            "mera {parcel} {still} nahi aaya", "do hafte ho gaye, {parcel} {still} nahi pahucha",
            "tracking {city} pe atki hui hai", "delivered dikha raha hai par {parcel} mila hi nahi",
            "{product} {when} aana tha, {still} intezaar kar [raha|rahi] hoon",
            "teen din se ghar pe delivery ka wait hai", "{parcel} {city} mein hi atka hai",
            "birthday nikal gaya aur {product} {still} nahi pahucha", "courier wala aaya hi nahi",
        ),
        "question": (
            "mera {parcel} kahan hai?", "{product} kab aayega?", "{parcel} aane mein kitne din aur lagenge?",
            "{parcel} kahan tak pahucha?", "kab tak milega mera {product}?", "delivery kab hogi yaar?",
            "{parcel} kahan atka hai, {tell}", "aaj aayega kya mera {parcel}?",
            "where is my {parcel}, kuch pata hai?",
        ),
    },
    "refund_request": {
        "goal": (
            "paise wapas lena", "{product} ka refund lena", "{product} return karke paise wapas lena",
            "apne {amount} rupaye wapas lena", "{product} wapas karna aur refund lena", "refund claim karna",
            "{product} ka pura paisa wapas lena",
        ),
        "topic": (
            "{product} ke refund", "mere {amount} wapas milne", "refund ke paise",
            "wapas kiye hue {product} ke paise", "{product} ke return", "atke hue refund", "paise wapsi",
        ),
        "fact": (
            "{product} wapas bhej diya par paise {still} wapas nahi aaye", "{amount} ka refund {when} aana tha",
            "{product} pasand nahi aaya, paise wapas chahiye",
            "{product} return ho gaya, aapne paise wapas nahi kiye", "{product} bada nikla, return karna hai",
            "return pickup {when} ho gaya, refund nahi mila", "aap logo ne bola tha {amount} wapas milenge",
            "{product} use bhi nahi kiya, return karna hai", "refund approved likha hai par mila nahi",
        ),
        "question": (
            "mere paise kab wapas milenge?", "refund kab aayega?", "mujhe mere {amount} wapas chahiye",
            "mere paise wapas {do}", "{product} ka refund {do}", "refund milega ya nahi?",
            "{product} return kaise karu, paise wapas chahiye", "I want my money back yaar",
            "mera refund kahan atka hai?",
        ),
    },
    "cancel_order": {
        "goal": (
            "order cancel karna", "{product} ka order rokna", "{when} wala order cancel karna",
            "{product} order se hatana", "order {number} cancel karwana", "ek extra {product} cancel karna",
            "{product} ka order radd karna",
        ),
        "topic": (
            "order cancel karne", "{product} ki cancellation", "galti se kiye order", "cancel request",
            "{product} ka order rokne", "order {number} ki cancellation", "extra {product} cancel karne",
        ),
        "fact": (
            "galti se do {product} order ho gaye", "bachche ne galti se {product} order kar diya",
            "ab {product} nahi chahiye, mat bhejna", "{product} dukaan mein sasta mil gaya, order rok do",
            "meri {person} ne pehle hi {product} de diya, ab order nahi chahiye",
            "galat button dab gaya aur order ho gaya", "plan badal gaya, ab yeh order nahi chahiye",
            "order {number} galti se ho gaya", "{product} abhi bheja nahi hai toh order rok lo",
        ),
        "question": (
            "order cancel {do}", "{product} mat bhejo", "order cancel ho sakta hai kya abhi?", "order rok do please",
            "order {number} cancel kaise karu?", "please cancel my order bhai", "{product} ko order se hata do",
            "{when} wala order cancel {do}", "mera order radd {do}",
        ),
    },
    "change_address": {
        "goal": (
            "delivery address badalna", "naya address dena", "{parcel} {city} bhejwana", "pincode sahi karwana",
            "ghar ki jagah office pe mangwana", "makan number sahi karwana", "{parcel} {person} ke ghar bhejwana",
        ),
        "topic": (
            "delivery address", "galat pincode", "naye address", "galat makan number", "order ke address",
            "{city} wale address", "address change",
        ),
        "fact": (
            "{parcel} purane address pe ja raha hai",
            "main {when} {city} shift ho [gaya|gayi] hoon, address purana hai",
            "address mein flat number likhna bhool [gaya|gayi]", "pincode galat dal gaya order mein",
            "{parcel} {city} bhejna hai, mere ghar nahi", "order pe purana address likha hai",
            "us din ghar pe nahi, {city} mein [rahunga|rahungi]", "gali ka naam galat likh diya maine",
            "makan number 12 likh diya, sahi 21 hai",
        ),
        "question": (
            "address badal do please", "address change {do}", "{parcel} {city} bhej sakte ho kya?",
            "naya address kahan dalu?", "{parcel} office pe bhej do", "pincode sahi {do}",
            "kya {parcel} meri {person} ke ghar bhej doge?", "address update kaise hoga?",
            "please change address to {city}",
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
            "bank se {amount} kat gaye, app mein unpaid hai", "card mein paise hain phir bhi decline ho raha hai",
            "coupon dala par bill kam nahi hua", "statement mein {amount} do baar kate hain",
        ),
        "question": (
            "do baar paise kyun kate?", "payment kyun nahi ho raha?", "yeh {amount} kis cheez ke kate?",
            "card kyun decline ho raha hai?", "UPI se kaise pay karu?", "payment hua ki nahi, {tell}",
            "bill mein extra {amount} kyun?", "double charge theek {do}", "my payment failed, ab kya karu?",
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
            "box geela tha aur {product} kharab nikla", "{product} chalu hi nahi hota, defective hai",
            "{product} ka ek part missing hai", "box khola toh {product} toota hua tha",
            "naye {product} pe scratch hai", "{product} haath mein lete hi toot gaya",
        ),
        "question": (
            "toota hua {product} badal do", "dusra {product} bhejo, yeh kharab hai", "{product} ka replacement {do}",
            "{product} repair hoga kya?", "toota hua {product} kyun bheja?", "crack ki photo kahan bheju?",
            "{product} ka missing part bhej do", "kharab {product} exchange {do}",
            "please replace, {product} damaged hai",
        ),
    },
    "account_access": {
        "goal": (
            "account mein login karna", "password reset karna", "account unlock karwana", "login ka OTP lena",
            "naye phone se sign in karna", "apna account kholna", "login wala email badalna",
        ),
        "topic": (
            "account login", "password reset", "locked account", "login OTP", "sign in ki dikkat", "meri login id",
            "password link",
        ),
        "fact": (
            "login nahi ho raha", "password sahi hai phir bhi galat bol raha hai",
            "account lock ho gaya teen try ke baad", "login ka OTP nahi aa raha", "password bhool [gaya|gayi] hoon",
            "password reset wala link khulta hi nahi", "app kholte hi logout ho jata hai",
            "number badal gaya, login OTP purane pe ja raha hai", "email daalo toh user not found aata hai",
        ),
        "question": (
            "login kaise karu?", "account unlock {do}", "password reset link bhejo",
            "mera account kyun nahi khul raha?", "login ka OTP kyun nahi aa raha?", "dusre phone se login hoga kya?",
            "mera login theek {do}", "baar baar logout kyun ho raha hai?", "I can't log in, kuch {do}",
        ),
    },
    "product_question": {
        "goal": (
            "{product} ka size poochna", "{product} ke colours jaanna", "{product} ki warranty jaanna",
            "{product} ki quality ke baare mein poochna", "{product} ka material jaanna",
            "{product} kitna bhari hai yeh jaanna", "do {product} compare karna",
        ),
        "topic": (
            "{product} ke size", "{product} ke colours", "{product} ki warranty", "{product} ke material",
            "{product} ki quality", "{product} ke stock", "{product} ke features",
        ),
        "fact": (
            "page pe {product} ka size nahi likha", "photo mein {product} sirf kaale colour mein hai",
            "samajh nahi aa raha kaunsa {product} [lu|kharidu]",
            "{product} bachche ko gift karna hai, safe hai ya nahi", "page pe {product} ki details adhuri hain",
            "blue colour ka {product} out of stock hai", "{product} waterproof hai ya nahi, page pe nahi likha",
            "dono {product} ek jaise lag rahe hain", "{product} kis material ka hai kahin nahi likha",
        ),
        "question": (
            "{product} kitna bada hai?", "{product} green colour mein milega kya?", "{product} kis material ka hai?",
            "{product} dho sakte hain kya?", "{product} ki warranty kitne saal ki hai?",
            "{product} travel ke liye accha hai kya?", "{product} phir se stock mein aayega kya?",
            "dono {product} mein se kaunsa lu?", "{product} ki quality kaisi hai?",
        ),
    },
}  # fmt: skip


def oblique(goal: str) -> str:
    """A Hindi infinitive as it stands before a postposition: karna becomes karne."""
    return re.sub(r"na\b(?= aur |$)", "ne", goal)


INTENT_PHRASES = {
    intent: forms | {"oblique": tuple(oblique(goal) for goal in forms["goal"])} for intent, forms in PHRASES.items()
}
