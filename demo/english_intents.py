"""English phrases of the eight intents, in four forms.

goal: what the customer wants to do, after "to". topic: the matter as a noun. fact: what has happened, as a
clause. question: a request that stands alone.
"""

from __future__ import annotations

INTENT_PHRASES = {
    "order_status": {
        "goal": (
            "find out where my {parcel} is", "know when the {product} will [arrive|get here]", "track my {parcel}",
            "hear how far my {parcel} has come", "know whether the {product} has left your warehouse",
            "hear on which day I should stay at home for the {parcel}", "know who has my {parcel} right now",
            "see what the courier has done with my {product}", "get a delivery date for the {product}",
            "understand why the {product} is taking so long",
        ),
        "topic": (
            "the {parcel} that has not come", "the delivery date of the {product}", "the whereabouts of my {parcel}",
            "the tracking of my {parcel}", "how long the {product} takes to get here", "the late {product}",
            "when the {product} will be here", "my {parcel} being overdue",
        ),
        "fact": (
            "it has been two weeks and my doorstep is empty", "the {product} I ordered {when} is still not here",
            "the tracking page has not moved since it said {city}", "the courier says delivered and nobody got it",
            "everyone else got theirs and I am still waiting", "my {parcel} should have been here {when}",
            "I have stayed at home three days for nothing", "the {product} was meant to be here before the birthday",
            "my {parcel} has been sitting in {city} for days", "no one has rung the bell with my {product} yet",
        ),
        "question": (
            "where is my {parcel}?", "when will the {product} be here?", "has the {product} been sent yet?",
            "is my {parcel} lost?", "how many more days for the {product}?", "is the driver coming today?",
            "please tell me how far the {parcel} is.", "did the {product} ever leave {city}?",
            "can I expect the {product} before the weekend?", "what is keeping my {parcel}?",
        ),
    },
    "refund_request": {
        "goal": (
            "get my money back for the {product}", "have my {amount} returned", "be refunded for the {product}",
            "send the {product} back and get the {amount}", "receive the refund you promised {when}",
            "be paid back for the {product}", "hand in the {product} and be repaid", "claim a refund of {amount}",
            "see the {amount} for the returned {product} again", "return the {product} for the full price",
        ),
        "topic": (
            "the refund for the {product}", "my money for the {product} I sent back", "getting the {amount} back",
            "the {amount} you owe me", "being repaid for the {product}", "the refund of {amount}",
            "my returned {product} and the money for it", "the money back guarantee on the {product}",
        ),
        "fact": (
            "you still owe me {amount} for the {product} I sent back", "the {product} is not for me and goes back",
            "the {product} went back to you {when} and I have seen no money", "I was promised my {amount} {when}",
            "your shop has both the {product} and my {amount} now", "I have neither the {product} nor the {amount} now",
            "I returned the {product} and my {amount} has not followed",
            "I do not like the {product} and want to be repaid",
            "the {product} is too big for us and I would rather have the {amount}",
            "the thirty days are not over and the {product} is unused",
        ),
        "question": (
            "can I have my money back?", "when do I get the {amount} back?", "please refund the {product}.",
            "how do I return the {product} for a refund?", "will I be repaid in full?",
            "please send the {amount} back to me.", "is the {amount} on its way back to me?",
            "could you give me back what I paid for the {product}?", "who pays me back for the {product}?",
            "I would like my {amount} again.",
        ),
    },
    "cancel_order": {
        "goal": (
            "cancel the {product}", "stop the order before it is sent", "call off the order for the {product}",
            "withdraw the order I placed {when}", "undo the order for the {product}",
            "take the {product} off my order", "make sure that the {product} is never sent",
            "drop the second {product} from my order", "cancel what I ordered {when}",
            "have the {product} struck from order {number}",
        ),
        "topic": (
            "cancelling the {product}", "calling off order {number}", "the order I no longer want",
            "stopping the {product} before it is sent", "the cancellation of my order",
            "the {product} I ordered by mistake", "taking the {product} off the order", "withdrawing from the order",
        ),
        "fact": (
            "I ordered two by accident and one is enough", "my {person} had already bought me a {product}",
            "I pressed the button {when} without meaning to",
            "the {product} is not needed any more and is not yet sent",
            "I found the {product} for less next door before you packed mine",
            "my child ordered the {product} on my phone", "order {number} was a mistake and should not go out",
            "our plans changed and nobody needs the {product} now",
            "I would rather you did not send the {product} at all", "I wanted one {product} and the order says three",
        ),
        "question": (
            "please cancel the {product}.", "can you stop the order?", "is it too late to call it off?",
            "please do not send the {product}.", "can I still withdraw the order?", "how do I cancel order {number}?",
            "take the {product} off my order, please.", "can the {product} stay in your warehouse for good?",
            "please forget what I ordered {when}.", "will you scrap the order for me?",
        ),
    },
    "change_address": {
        "goal": (
            "have the {parcel} sent to {city} instead", "change the delivery address", "correct the house number",
            "send the {product} to my office rather than my home", "give you my new address",
            "redirect the {parcel} to my {person}", "use another address for order {number}",
            "fix the postcode on my order", "get the {product} taken to {city} and not to {city}",
            "move the delivery to the flat next door",
        ),
        "topic": (
            "the address on my order", "sending the {parcel} to {city} instead", "the wrong house number",
            "my move to {city} and the {parcel}", "the postcode on order {number}",
            "a different address for the {product}", "redirecting the {parcel}",
            "the place where the {product} should go",
        ),
        "fact": (
            "the {parcel} is heading to my old flat", "I moved to {city} {when} and you still have the old street",
            "I left out the flat number on the order", "the order has the postcode of my last home",
            "I shall be in {city} when the {product} comes", "the courier will ring at a door where I no longer live",
            "my {person} in {city} should get the {product}, not me", "the street name on order {number} is misspelt",
            "our office has moved and the {parcel} would go to an empty building",
            "I typed number 12 and we live at number 21",
        ),
        "question": (
            "can you send it to {city} instead?", "please change the address to {city}.",
            "can the {product} go to my {person}'s place?", "how do I correct the street on my order?",
            "can the {parcel} be taken to my office?", "please put flat 4 on the label.",
            "may I give you another address?", "could the driver go to {city} with it?",
            "will you write the new postcode on the {parcel}?", "is there time to point the {parcel} somewhere else?",
        ),
    },
    "payment_problem": {
        "goal": (
            "pay for the {product} without an error", "find out why I was charged twice", "get my card accepted",
            "have the second charge of {amount} looked into", "understand the {amount} on my bank statement",
            "finish paying for order {number}", "get past the payment page", "use my voucher at the till",
            "have the wrong amount on my bill corrected", "pay by card",
        ),
        "topic": (
            "the double charge of {amount}", "my card being refused", "the payment that will not go through",
            "the strange {amount} on my statement", "the wrong amount on the bill", "paying for the {product}",
            "the charge I do not recognise", "the payment page that hangs",
        ),
        "fact": (
            "my card was charged twice for the {product}", "the payment page hangs after I press pay",
            "my bank took {amount} and your shop says unpaid", "my card is refused although there is money on it",
            "the bill says {amount} and the page said less", "there are two lines of {amount} on my statement",
            "the voucher I typed took nothing off the price", "you charged me {amount} for something I never bought",
            "the code from my bank never comes when I pay", "the till shows an error each time I pay",
        ),
        "question": (
            "why was I charged twice?", "why is my card refused?", "what is this charge of {amount}?",
            "can I pay in some other way?", "did my payment go through?", "please look at the second charge.",
            "why does the bill say {amount}?", "please correct what you took from my card.", "is the till broken?",
            "why does paying fail each time?",
        ),
    },
    "damaged_item": {
        "goal": (
            "report a broken {product}", "swap the cracked {product} for a whole one", "get a {product} that works",
            "show you photos of the broken {product}", "have the faulty {product} repaired",
            "get the missing part of the {product}", "exchange the scratched {product}",
            "tell you that the {product} came in pieces", "get a replacement for the dented {product}",
            "complain about the state of the {product}",
        ),
        "topic": (
            "the broken {product}", "the crack in the {product}", "the {product} that does not work",
            "the state in which the {product} came", "a replacement for the faulty {product}",
            "the missing part of the {product}", "the dent in my new {product}", "the {product} with the scratch",
        ),
        "fact": (
            "the {product} came in pieces", "the {product} has a long crack",
            "the {product} stopped working after a day", "the box was wet and the {product} inside is ruined",
            "half of the {product} is missing", "the {product} makes a smell and does nothing else",
            "the {product} was dented when I opened the box", "the {product} I unpacked {when} has a hole",
            "something in the {product} rattles and it is brand new", "the {product} fell apart when I picked it up",
        ),
        "question": (
            "can you send me one that is not broken?", "will you replace the {product}?",
            "can the {product} be repaired?", "where do I send photos of the crack?",
            "why did you pack the {product} so badly?", "please send the missing part.",
            "can I swap it for one that works?", "please exchange the faulty {product}.",
            "is a dent like this covered?", "how do I get a {product} in one piece?",
        ),
    },
    "account_access": {
        "goal": (
            "log in", "get back into my account", "reset my password", "receive the sign-in code",
            "unlock my profile", "sign in with my new phone", "use my old user name again", "open my account page",
            "get a password link that works", "change the e-mail that I sign in with",
        ),
        "topic": (
            "my locked account", "the password that is not accepted", "signing in", "the sign-in code",
            "the link to reset my password", "access to my profile", "the login page", "my user name",
        ),
        "fact": (
            "the site says my password is wrong", "I am locked out after three tries",
            "the code to sign in never arrives on my phone", "the link for a new password is dead",
            "the app throws me out as soon as I open it", "your site does not know my e-mail any more",
            "I have a new phone number and the code goes to the old one", "my profile is gone since {when}",
            "I can see the shop and cannot get to my own page", "I forgot the word I always type to get in",
        ),
        "question": (
            "how do I get back in?", "can you unlock me?", "please send a new password link.",
            "why does the site not know me?", "where is my sign-in code?", "can I use another phone to sign in?",
            "please reset my login.", "what is my user name?", "why am I thrown out each time?",
            "can you open my account for me again?",
        ),
    },
    "product_question": {
        "goal": (
            "know what the {product} is made of", "know whether the {product} comes in green",
            "ask how heavy the {product} is", "hear if the {product} will be in stock again",
            "learn how long the warranty on the {product} lasts", "know if the {product} suits a ten-year-old",
            "ask which size of the {product} to take", "compare the {product} with the larger one",
            "know if the {product} may be washed", "hear whether a manual comes with the {product}",
        ),
        "topic": (
            "the size of the {product}", "the colours of the {product}", "what the {product} is made of",
            "the warranty on the {product}", "the weight of the {product} you sell", "how the {product} works",
            "the difference between the two kinds of {product}", "the {product} on your front page",
        ),
        "fact": (
            "the page does not say how big the {product} is", "the photos show the {product} in grey only",
            "I cannot tell from the page whether the {product} is waterproof",
            "two kinds of {product} look the same to me", "the {product} in your shop has no size chart",
            "I am choosing between the {product} and the larger one",
            "the {product} would be a gift for a child of six",
            "the description of the {product} ends in mid-sentence",
            "I am allergic to wool and the page is silent on the {product}", "the {product} is sold out in blue",
        ),
        "question": (
            "does the {product} come in green?", "how big is the {product}?", "what is the {product} made of?",
            "can the {product} be washed?", "is the {product} any good for travel?", "how long is the warranty?",
            "will you have the {product} again?", "does the {product} need batteries?",
            "which of the two would you take?", "would the {product} fit under a bed?",
        ),
    },
}  # fmt: skip
