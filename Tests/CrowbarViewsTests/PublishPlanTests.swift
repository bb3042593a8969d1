import Testing

@testable import CrowbarViews

/// What is written to a target and deleted from it, and when again.
@Suite struct PublishPlanTests {
    private static let (a, b) = (PublishedFile.messages("a"), PublishedFile.messages("b"))

    private func stamp(_ position: Int64, version: Int = 1) -> PublishStamp {
        PublishStamp(version: version, position: position)
    }

    private func job(
        _ kind: PublishPlan.Job.Kind, _ file: PublishedFile, _ stamp: PublishStamp? = nil, tag: String? = nil
    )
        -> PublishPlan.Job
    {
        PublishPlan.Job(file: file, kind: kind, stamp: stamp, tag: tag)
    }

    private func next(_ plan: inout PublishPlan, _ now: Int64) throws -> PublishPlan.Job {
        let job = plan.next(now: now)
        return try #require(job)
    }

    @Test func onlyWhatChangedIsWrittenAndDeletionsGoFirst() throws {
        var plan = PublishPlan(known: [Self.a: (stamp(3), "t3"), Self.b: (stamp(4), "t4")])
        plan.want(Self.a, stamp(3))
        #expect(plan.next(now: 0) == nil && plan.isDone && plan.due == nil)
        plan.want(Self.a, stamp(5))
        plan.want(.allChannels, stamp(5))
        plan.want(.allChannels)
        plan.drop(Self.b)
        let first = try next(&plan, 0)
        #expect(first == job(.delete, Self.b, stamp(4), tag: "t4"))
        plan.end(first, nil, .gone, now: 0)
        let second = try next(&plan, 0)
        #expect(second == job(.write, Self.a, stamp(3), tag: "t3"))
        #expect(plan.counts(of: .messages) == (files: 1, pending: 1))
        plan.end(second, stamp(5), .written(tag: "t5"), now: 0)
        let third = try next(&plan, 0)
        #expect(third == job(.write, .allChannels))
        plan.end(third, stamp(5), .written(tag: nil), now: 0)
        // Each once, whatever was wanted twice.
        #expect(plan.next(now: 0) == nil && plan.isDone)
        plan.want(Self.a, stamp(5))
        #expect(plan.next(now: 0) == nil)
        // Another version of the rows is another content.
        plan.want(Self.a, stamp(5, version: 2))
        #expect(plan.next(now: 0) == job(.write, Self.a, stamp(5), tag: "t5"))
    }

    @Test func aChannelThatComesBackBeforeItsFileIsDeletedIsWritten() throws {
        var plan = PublishPlan(known: [Self.a: (stamp(3), "t3")])
        plan.drop(Self.a)
        plan.want(Self.a, stamp(9))
        let first = try next(&plan, 0)
        #expect(first.kind == .write)
        plan.end(first, stamp(9), .written(tag: "t9"), now: 0)
        #expect(plan.next(now: 0) == nil)
        plan.want(Self.a, stamp(10))
        plan.drop(Self.a)
        #expect(plan.next(now: 0)?.kind == .delete)
        // What is not known needs no deletion.
        plan.drop(.messages("z"))
        #expect(plan.next(now: 0) == nil)
    }

    @Test func aDeletionDoesNotWaitForAWriteThatFailed() throws {
        var plan = PublishPlan(known: [Self.a: (stamp(3), "t3")])
        plan.want(Self.a, stamp(4))
        let write = try next(&plan, 0)
        plan.end(write, stamp(4), .fileFailed("changed meanwhile"), now: 0)
        #expect(plan.next(now: 0) == nil && plan.heldFiles.count == 1)
        plan.drop(Self.a)
        #expect(plan.heldFiles.count == 0)
        #expect(try next(&plan, 0).kind == .delete)
    }

    @Test func whatTheTargetHasIsComparedWithWhatIsKnown() {
        var plan = PublishPlan(known: [
            Self.a: (stamp(3), "t3"), Self.b: (stamp(4), "t4"), .allChannels: (stamp(5), "t5"),
        ])
        plan.reconcile([Self.a: "t3", Self.b: "other", .channel("left"): nil])
        plan.want(Self.a, stamp(3))
        plan.want(Self.b, stamp(4))
        plan.want(.allChannels, stamp(5))
        plan.dropAll { $0.channel != "left" }
        // Nothing is known of a file that somebody else has written, and one that is missing is written again.
        #expect(plan.next(now: 0) == job(.delete, .channel("left")))
        #expect(plan.next(now: 0) == job(.write, Self.b))
        #expect(plan.next(now: 0) == job(.write, .allChannels))
        #expect(plan.next(now: 0) == nil)
    }

    @Test func whatOthersChangeOrDeleteIsWrittenAgainAndNothingElse() throws {
        var plan = PublishPlan(known: [
            Self.a: (stamp(3), "t3"), Self.b: (stamp(4), "t4"), .allChannels: (stamp(5), "t5"),
            .channel("a"): (stamp(6), "t6"),
        ])
        plan.drop(.channel("a"))
        let found: [PublishedFile: String?] = [Self.a: "t3", Self.b: "other", .channel("own"): "x"]
        #expect(plan.verify(found) == ["allchannels.json", "messages/b.json"])
        // A deletion that waits is still one, and a file that is not known is left alone.
        #expect(plan.next(now: 0) == job(.delete, .channel("a"), stamp(6), tag: "t6"))
        var writes: Set<PublishedFile> = []
        for _ in 0..<2 {
            let write = try next(&plan, 0)
            #expect(write == job(.write, write.file))
            writes.insert(write.file)
            plan.end(write, stamp(9), .written(tag: "t9"), now: 0)
        }
        #expect(writes == [Self.b, .allChannels] && plan.next(now: 0) == nil)
        plan.want(Self.b, stamp(9))
        #expect(plan.next(now: 0) == nil)
        // What waits to be written is compared when it is known again.
        #expect(plan.verify([Self.a: "t3", Self.b: "t9", .allChannels: "t9"]) == [])
        #expect(plan.next(now: 0) == nil)
    }

    @Test func aTargetThatFailsIsTriedLessAndLessOftenUpToFiveMinutes() throws {
        var plan = PublishPlan()
        plan.want(Self.a, stamp(1))
        var now: Int64 = 0
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] as [Int64] {
            let next = try next(&plan, now)
            plan.end(next, stamp(1), .targetFailed("no route"), now: now)
            #expect(plan.problem == "no route" && plan.due == now + wait * 1_000)
            #expect(plan.next(now: now + wait * 1_000 - 1) == nil)
            now += wait * 1_000
        }
        let next = try next(&plan, now)
        plan.end(next, stamp(1), .written(tag: "t"), now: now)
        #expect(plan.problem == nil && plan.isDone && plan.due == nil)
        plan.fail("closed", now: now)
        #expect(plan.due == now + 1_000)
    }

    @Test func aFileThatFailsHoldsUpNoOther() throws {
        var plan = PublishPlan()
        plan.want(Self.a, stamp(1))
        plan.want(Self.b, stamp(1))
        let first = try next(&plan, 0)
        plan.end(first, stamp(1), .newer(7), now: 0)
        #expect(plan.heldFiles.count == 1 && plan.heldFiles.reason?.description.contains("position 7") == true)
        #expect(plan.problem == nil)
        let second = try next(&plan, 0)
        plan.end(second, stamp(1), .written(tag: "t"), now: 0)
        #expect(second.file == Self.b && plan.next(now: 0) == nil && plan.due == 1_000)
        // A change meanwhile does not make it due earlier.
        plan.want(Self.a, stamp(2))
        #expect(plan.next(now: 999) == nil)
        let again = try next(&plan, 1_000)
        plan.end(again, stamp(2), .fileFailed("a folder is in the way"), now: 1_000)
        #expect(again.file == Self.a && plan.due == 3_000)
        let last = try next(&plan, 3_000)
        plan.end(last, stamp(2), .written(tag: "t"), now: 3_000)
        #expect(plan.isDone && plan.heldFiles.reason == nil)
    }

    @Test func aDeletionThatFailsIsTriedAgainInItsTime() throws {
        var plan = PublishPlan()
        plan.want(Self.a, stamp(1))
        let first = try next(&plan, 0)
        plan.end(first, stamp(1), .newer(7), now: 0)
        plan.drop(Self.a)
        let deletion = try next(&plan, 0)
        #expect(deletion.kind == .delete)
        plan.end(deletion, nil, .newer(7), now: 0)
        #expect(plan.next(now: 1_999) == nil)
        #expect(plan.next(now: 2_000)?.kind == .delete)
    }

    /// What docs/publishing.md promises where the configuration does not say otherwise.
    @Test func theUsualTargetAndTheIntervals() {
        let target = PublishTarget(.folder("www"))
        #expect(target.views == [.allChannels, .channel, .messages] && target.every == 1_000)
        #expect(ViewReader.usualMembers == 500 && ViewReader.usualMessages == 100)
        #expect(FolderStore("www").verifyInterval == 30_000)
    }

    @Test(
        arguments: [
            ("allchannels.json", PublishedFile.allChannels), ("allmessages.json", .allMessages),
            ("channel/a.b-c_9.json", .channel("a.b-c_9")), ("messages/x.json", .messages("x")), ("allusers.json", nil),
            ("messages/.json", nil), ("messages/../x.json", nil), ("messages/a/b.json", nil), ("messages/A.json", nil),
            ("messages/..json", nil), ("channel/x.json.tmp", nil), ("unread.json", nil), ("/allchannels.json", nil),
        ] as [(String, PublishedFile?)]) func onlyPublishedFilesHaveAPath(_ path: String, _ file: PublishedFile?)
    {
        #expect(PublishedFile(path) == file)
        if let file { #expect(file.path == path) }
    }
}
