import JSONBytes
import Testing

@Suite struct PrunedJSONTests {
    @Test func elementsKeepTheNumbersOfTheWholeTree() throws {
        var tree = PrunedJSON(try JSON(parsing: Array(#"{"a":[{"x":1},2,[3,4],5],"ab":{"c":1},"a.b":1}"#.utf8)))
        func expect(_ path: String, _ isThere: Bool) {
            let isRemoved = tree.remove(path)
            #expect(isRemoved == isThere, "\(path)")
        }
        for path in ["a[1]", "a[0].x", "a[2][0]", "ab.c"] { expect(path, true) }
        #expect(String(decoding: tree.json.bytes, as: UTF8.self) == #"{"a":[{},[4],5],"ab":{},"a.b":1}"#)
        // What is the second and third now was the third and fourth.
        #expect(tree.original("a[1][0].y") == "a[2][1].y")
        #expect(tree.original("a[2]") == "a[3]" && tree.original("ab[2]") == "ab[2]")
        #expect(tree.original(0, of: "a") == 0 && tree.original(2, of: "a") == 3)
        expect("a[3]", true)
        // What is gone is not there.
        for path in ["a[1]", "", "b", "a[9]", "a[2].x", "ab.c.d"] { expect(path, false) }
        // A stand-in for what was taken away.
        let isPut = (tree.put(.int(7), at: "a[0].x"), tree.put(.int(8), at: "ab.c"), tree.put(.int(9), at: "a[1].x"))
        #expect(isPut == (true, true, false))
        #expect(String(decoding: tree.json.bytes, as: UTF8.self) == #"{"a":[{"x":7},[4]],"ab":{"c":8},"a.b":1}"#)
        expect("ab.c", true)
        expect("a.b", true)
        expect("a", true)
        #expect(String(decoding: tree.json.bytes, as: UTF8.self) == #"{"ab":{}}"#)
    }
}
