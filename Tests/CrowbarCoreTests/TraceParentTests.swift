import CrowbarCore
import Testing

@Suite struct TraceParentTests {
    static let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func version00IsRead() {
        #expect(TraceParent(Self.good)?.text == Self.good)
        #expect(TraceParent(Self.good.dropLast(2) + "ff")?.text.hasSuffix("-ff") == true)
    }

    @Test(arguments: [
        "", "00", good + "-", good + "0", String(good.dropLast()), " " + good, good.uppercased(),
        good.replacing("00-4", with: "01-4"), good.replacing("00-4", with: "ff-4"), good.replacing("-", with: "_"),
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473-\u{e4}0f067aa0ba902b7-01", String(repeating: "0", count: 100_000),
    ])
    func anythingElseIsNone(_ text: String) { #expect(TraceParent(text) == nil) }

    @Test(arguments: [
        ("a", true), ("A-b_c.9", true), (String(repeating: "x", count: 64), true), ("", false), ("a b", false),
        (String(repeating: "x", count: 65), false), ("a\nb", false), ("\u{e4}", false), ("a/b", false),
    ])
    func idsOfRequests(_ text: String, _ isValid: Bool) {
        #expect(RequestID.isValid(text) == isValid)
        #expect(RequestID.make(255) == "00000000000000ff")
    }
}
