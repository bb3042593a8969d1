import HTTPClient
import Testing

@testable import CrowbarViews

/// An object of a bucket, request by request.
@Suite struct ObjectUpdateTests {
    private typealias Step = ObjectUpdate.Step

    /// Plays answers in order, and says what was asked and how it ended.
    private func play(_ update: ObjectUpdate, _ answers: [ObjectUpdate.Answer]) -> [Step] {
        var (update, steps) = (update, [Step.send(update.first)])
        for answer in answers { steps.append(update.next(answer)) }
        return steps
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var update: ObjectUpdate
        var answers: [ObjectUpdate.Answer]
        var steps: [ObjectUpdate.Step]
    }

    private static let there = ObjectUpdate.Answer.status(200, tag: "e5", position: 5)

    static let rows: [Row] = [
        Row(
            testDescription: "a new object", update: ObjectUpdate(writing: 9, replacing: nil),
            answers: [.status(404), .status(200, tag: "e9")],
            steps: [.send(.head), .send(.put(replacing: nil)), .end(.written(tag: "e9"))]),
        Row(
            testDescription: "a known object", update: ObjectUpdate(writing: 9, replacing: "e5"),
            answers: [.status(200, tag: "e9")], steps: [.send(.put(replacing: "e5")), .end(.written(tag: "e9"))]),
        Row(
            testDescription: "an object of an earlier position", update: ObjectUpdate(writing: 9, replacing: nil),
            answers: [there, .status(200, tag: "e9")],
            steps: [.send(.head), .send(.put(replacing: "e5")), .end(.written(tag: "e9"))]),
        Row(
            testDescription: "an object of a later position", update: ObjectUpdate(writing: 4, replacing: nil),
            answers: [there], steps: [.send(.head), .end(.newer(5))]),
        Row(
            testDescription: "an object of the same position, which may be of another version",
            update: ObjectUpdate(writing: 5, replacing: nil), answers: [there, .status(200, tag: "f5")],
            steps: [.send(.head), .send(.put(replacing: "e5")), .end(.written(tag: "f5"))]),
        Row(
            testDescription: "an object without a position", update: ObjectUpdate(writing: 5, replacing: nil),
            answers: [.status(200, tag: "x"), .status(200, tag: "f5")],
            steps: [.send(.head), .send(.put(replacing: "x")), .end(.written(tag: "f5"))]),
        Row(
            testDescription: "412 after another wrote the same", update: ObjectUpdate(writing: 5, replacing: "e4"),
            answers: [.status(412, code: "PreconditionFailed"), there],
            steps: [.send(.put(replacing: "e4")), .send(.head), .end(.written(tag: "e5"))]),
        Row(
            testDescription: "409 after another wrote less", update: ObjectUpdate(writing: 6, replacing: "e4"),
            answers: [.status(409), there, .status(200, tag: "e6")],
            steps: [
                .send(.put(replacing: "e4")), .send(.head), .send(.put(replacing: "e5")), .end(.written(tag: "e6")),
            ]),
        Row(
            testDescription: "412 after another wrote more", update: ObjectUpdate(writing: 4, replacing: "e3"),
            answers: [.status(412), there], steps: [.send(.put(replacing: "e3")), .send(.head), .end(.newer(5))]),
        Row(
            testDescription: "another made it first", update: ObjectUpdate(writing: 6, replacing: nil),
            answers: [.status(404), .status(412), there, .status(200, tag: "e6")],
            steps: [
                .send(.head), .send(.put(replacing: nil)), .send(.head), .send(.put(replacing: "e5")),
                .end(.written(tag: "e6")),
            ]),
        Row(
            testDescription: "a known object was deleted", update: ObjectUpdate(writing: 6, replacing: "e5"),
            answers: [.status(404, code: "NoSuchKey"), .status(404), .status(200, tag: "e6")],
            steps: [
                .send(.put(replacing: "e5")), .send(.head), .send(.put(replacing: nil)), .end(.written(tag: "e6")),
            ]),
        Row(
            testDescription: "an object that is never still", update: ObjectUpdate(writing: 9, replacing: "e4"),
            answers: [
                .status(412), there, .status(412), there, .status(412), there, .status(412), there, .status(409),
            ],
            steps: [
                .send(.put(replacing: "e4")), .send(.head), .send(.put(replacing: "e5")), .send(.head),
                .send(.put(replacing: "e5")), .send(.head), .send(.put(replacing: "e5")), .send(.head),
                .send(.put(replacing: "e5")), .end(.fileFailed("another writer changes it again and again")),
            ]),
        Row(
            testDescription: "deletion", update: ObjectUpdate(deleting: 9), answers: [there, .status(204)],
            steps: [.send(.head), .send(.delete), .end(.gone)]),
        Row(
            testDescription: "deletion of what is gone", update: ObjectUpdate(deleting: 9), answers: [.status(404)],
            steps: [.send(.head), .end(.gone)]),
        Row(
            testDescription: "deletion of a later one", update: ObjectUpdate(deleting: 4), answers: [there],
            steps: [.send(.head), .end(.newer(5))]),
        Row(
            testDescription: "deletion of what is not Crowbar's", update: ObjectUpdate(deleting: 9),
            answers: [.status(200, tag: "x")], steps: [.send(.head), .end(.gone)]),
        Row(
            testDescription: "no bucket", update: ObjectUpdate(writing: 9, replacing: nil),
            answers: [.status(404), .status(404, code: "NoSuchBucket", text: "no bucket")],
            steps: [
                .send(.head), .send(.put(replacing: nil)),
                .end(.targetFailed(PublishFailure("no bucket", code: "NoSuchBucket"))),
            ]),
        Row(
            testDescription: "no answer", update: ObjectUpdate(writing: 9, replacing: nil), answers: [.none("timeout")],
            steps: [.send(.head), .end(.targetFailed("timeout"))]),
        Row(
            testDescription: "a store without tags", update: ObjectUpdate(writing: 9, replacing: nil),
            answers: [.status(200, position: 1)],
            steps: [
                .send(.head),
                .end(.fileFailed("the store gives no ETag, which is needed to replace an object")),
            ]),
    ]

    @Test(arguments: rows) func step(_ row: Row) {
        #expect(play(row.update, row.answers) == row.steps)
    }

    @Test(arguments: [(403, true), (400, true), (301, true), (500, true), (503, true), (429, true), (413, false)])
    func anErrorIsAboutTheTargetOrTheFile(_ status: Int, isTarget: Bool) {
        var update = ObjectUpdate(writing: 9, replacing: "e")
        let step = update.next(.status(status, text: "why"))
        let failure = PublishFailure("why", code: "\(status)")
        #expect(step == .end(isTarget ? .targetFailed(failure) : .fileFailed(failure)))
        // The store's own name of the error says more than the status.
        let named = update.next(.status(status, code: "SlowDown", text: "other words"))
        let other = PublishFailure("other words", code: "SlowDown")
        #expect(named == .end(isTarget ? .targetFailed(other) : .fileFailed(other)))
    }

    @Test func aBucketsPlaceIsItsHostUnlessItsNameHasDots() throws {
        func url(_ bucket: Bucket) -> String { bucket.place.endpoint.url(bucket.place.path) }
        #expect(url(Bucket(name: "b1", prefix: "", region: "eu-west-1")) == "https://b1.s3.eu-west-1.amazonaws.com")
        #expect(url(Bucket(name: "b.c", prefix: "", region: "eu-west-1")) == "https://s3.eu-west-1.amazonaws.com/b.c")
        #expect(
            url(Bucket(name: "b1", prefix: "", region: "cn-north-1")) == "https://b1.s3.cn-north-1.amazonaws.com.cn")
    }
}
