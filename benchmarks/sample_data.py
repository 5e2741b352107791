"""How far simple models get on the sample data: a bag of words, the nearest neighbour, one keyword an intent.

`python -m benchmarks.sample_data` writes `benchmarks/results/sample_data.json`. What the fine-tuned model makes of
the same messages is printed by `make demo`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.results_file import print_figures, write_result
from demo.messages import INTENTS, Message, english, hinglish

TRAINING_ROWS = 3000
HINGLISH_ROWS = 600
TEST_ROWS = 1000
REGULARISATION = 10.0


def main() -> int:
    """Measure and write; always 0."""
    train, test = english(TRAINING_ROWS, seed=101), english(TEST_ROWS, seed=102)
    fresh, later = hinglish(HINGLISH_ROWS, seed=103), hinglish(TEST_ROWS, seed=104)
    similarity, neighbour_accuracy = nearest_neighbour(train, test)
    figures = {
        "bow_accuracy_english": bag_of_words(train, test),
        "bow_accuracy_hinglish": bag_of_words(train, later),
        "bow_accuracy_hinglish_retrained": bag_of_words([*train, *fresh], later),
        "bow_accuracy_english_retrained": bag_of_words([*train, *fresh], test),
        "nearest_neighbour_accuracy_english": neighbour_accuracy,
        "nearest_neighbour_similarity_median": similarity,
        "keyword_accuracy_english": keywords(train, test),
        "majority_accuracy_english": Counter(message.label for message in test).most_common(1)[0][1] / TEST_ROWS,
        "repeated_texts": float(len({message.text for message in train} & {message.text for message in test})),
        "words_english": float(np.mean([len(message.text.split()) for message in train])),
        "words_hinglish": float(np.mean([len(message.text.split()) for message in later])),
        "hinglish_words_unknown_to_english": unknown_words(train, later),
    }
    path = write_result(
        "sample_data",
        "make bench-sample",
        {name: round(value, 4) for name, value in figures.items()},
        {
            "bag of words": f"TF-IDF of words and word pairs, logistic regression, C = {REGULARISATION}",
            "scikit-learn": sklearn.__version__,
            "rows": {"english training": TRAINING_ROWS, "hinglish training": HINGLISH_ROWS, "each test": TEST_ROWS},
            "shares": {
                intent: round(count / TRAINING_ROWS, 4)
                for intent, count in Counter(message.label for message in train).items()
            },
        },
    )
    print_figures(path)
    return 0


def bag_of_words(train: Sequence[Message], test: Sequence[Message]) -> float:
    """Test accuracy of logistic regression on TF-IDF of words and word pairs."""
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=REGULARISATION, max_iter=2000),
    )
    model.fit([message.text for message in train], [message.label for message in train])
    return float(model.score([message.text for message in test], [message.label for message in test]))


def nearest_neighbour(train: Sequence[Message], test: Sequence[Message]) -> tuple[float, float]:
    """Median TF-IDF cosine to the most similar training message, and how often its label is the right one."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    known = vectorizer.fit_transform([message.text for message in train])
    similarity = (vectorizer.transform([message.text for message in test]) @ known.T).toarray()
    nearest = similarity.argmax(axis=1)
    right = [train[index].label == message.label for index, message in zip(nearest, test, strict=True)]
    return float(np.median(similarity.max(axis=1))), float(np.mean(right))


def keywords(train: Sequence[Message], test: Sequence[Message]) -> float:
    """Test accuracy of a rule with one word an intent, the word of the highest F1; the first that is met decides."""
    sizes = Counter(message.label for message in train)
    overall = Counter(word for message in train for word in set(words(message)))
    best: dict[str, str] = {}
    for label in INTENTS:
        count = Counter(word for message in train if message.label == label for word in set(words(message)))
        f1 = {word: 2 * found / (overall[word] + sizes[label]) for word, found in count.items()}
        best[label] = max(f1, key=f1.__getitem__)
    fallback = sizes.most_common(1)[0][0]

    def rule(message: Message) -> str:
        met = {word: place for place, word in reversed(list(enumerate(words(message))))}
        found = [label for label in INTENTS if best[label] in met]
        return min(found, key=lambda label: met[best[label]]) if found else fallback

    return float(np.mean([rule(message) == message.label for message in test]))


def unknown_words(known: Sequence[Message], messages: Sequence[Message]) -> float:
    """Share of the words of `messages` that no message of `known` has."""
    vocabulary = {word for message in known for word in words(message)}
    return float(np.mean([word not in vocabulary for message in messages for word in words(message)]))


def words(message: Message) -> list[str]:
    """The message's words in lower case, numbers left out."""
    return re.findall(r"[a-z']+", message.text.lower())


if __name__ == "__main__":
    sys.exit(main())
