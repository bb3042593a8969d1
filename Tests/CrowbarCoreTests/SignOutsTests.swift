import CrowbarCore
import Testing

/// Which sign-ins a sign-out of all sessions reaches.
@Suite struct SignOutsTests {
    @Test func aSignOutEndsWhatBeganBeforeIt() {
        var outs = SignOuts()
        let before = outs.mark
        #expect(!outs.hasEnded("ann", since: before))
        outs.note("ann")
        let between = outs.mark
        outs.note("bob")
        let after = outs.mark
        #expect(outs.hasEnded("ann", since: before) && !outs.hasEnded("ann", since: between))
        #expect(outs.hasEnded("bob", since: before) && outs.hasEnded("bob", since: between))
        #expect(!outs.hasEnded("bob", since: after) && !outs.hasEnded("cid", since: before))
        outs.note("ann")
        #expect(outs.hasEnded("ann", since: after))
    }

    /// What is forgotten ends sign-ins of everybody that were under way, and none that begins later.
    @Test func memoryIsBounded() {
        var outs = SignOuts()
        outs.note("ann")
        let before = outs.mark
        for number in 0..<SignOuts.maxAccounts { outs.note("u\(number)") }
        #expect(outs.count <= SignOuts.maxAccounts)
        #expect(outs.hasEnded("u0", since: before) && outs.hasEnded("cid", since: before))
        let after = outs.mark
        #expect(!outs.hasEnded("u0", since: after) && !outs.hasEnded("cid", since: after))
        for _ in 0..<10 { outs.note("u1") }
        #expect(!outs.hasEnded("u0", since: after) && outs.hasEnded("u1", since: after))
    }
}
