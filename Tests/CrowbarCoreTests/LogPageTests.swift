import CrowbarCore
import Testing

@Suite struct LogPageTests {
    @Test func aNameHasOneIndexHoweverItComesAndHoweverManyThereAre() {
        var page = LogPage()
        var indexes: [String: Int32] = [:]
        for round in 0..<3 {
            for i in 0..<1000 {
                let name = "user-\(i)"
                let index =
                    round == 1 ? page.intern(name) : Array(name.utf8).withUnsafeBytes { page.intern(utf8: $0) }
                #expect(indexes[name, default: index] == index)
                indexes[name] = index
            }
        }
        #expect(page.names.count == 1000)
        #expect(page.name(indexes["user-7"] ?? -1) == "user-7")
        #expect(page.name(-1) == nil)
    }
}
