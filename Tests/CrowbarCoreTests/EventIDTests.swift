import CrowbarCore
import CrowbarTesting
import Testing

@Suite struct EventIDTests {
    @Test func version7InOrderAlsoWithinAMillisecondAndBackwards() {
        let clock = ManualClock(1_700_000_000_000)
        let source = EventIDSource(now: { clock.milliseconds }, random: { .max })
        var ids: [String] = []
        for i in 0..<10_000 {
            if i == 9000 { clock.advance(by: -5000) }
            if i == 9500 { clock.advance(by: 90_000) }
            ids.append(source.next())
        }
        #expect(ids == ids.sorted())
        #expect(Set(ids).count == ids.count)
        #expect(
            ids.allSatisfy {
                $0.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil
            })
        #expect(ids.allSatisfy(Identifier.isEvent))
    }

    @Test func theTimeStandsFirst() {
        // RFC 9562, appendix A.6: 0x017F22E279B0 ms.
        let id = EventIDSource(now: { 0x017F_22E2_79B0 }, random: { 0x18C4_DC0C_0C07_398F }).next()
        #expect(id.hasPrefix("017f22e2-79b0-7"))
        #expect(id.hasSuffix("-98c4-dc0c0c07398f"))
    }

    @Test func version8IsAFunctionOfItsDigest() {
        let digest = Array(UInt8(0xF0)...UInt8(0xFF)) + [1, 2]
        let timed = EventIDSource.derived(milliseconds: 0x017F_22E2_79B0, digest: digest)
        #expect(timed == "017f22e2-79b0-86f7-b8f9-fafbfcfdfeff")
        #expect(timed == EventIDSource.derived(milliseconds: 0x017F_22E2_79B0, digest: digest))
        #expect(EventIDSource.derived(milliseconds: nil, digest: digest) == "f0f1f2f3-f4f5-86f7-b8f9-fafbfcfdfeff")
    }
}
