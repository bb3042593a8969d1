import Testing

@testable import PluginHTTP

@Suite struct DescriptorBudgetTests {
    @Test(arguments: [
        (1 << 20, 4096, 1280), (5440, 4096, 1280), (5439, 4095, 1280), (1024, 720, 240), (256, 144, 48), (64, 1, 1),
        (0, 1, 1),
    ])
    func filesAreDividedBetweenWorkAndWaiting(files: Int, inFlight: Int, kept: Int) {
        let room = DescriptorBudget(files: files)
        #expect((room.inFlight, room.kept) == (inFlight, kept))
        #expect(files < 66 || room.inFlight + room.kept + DescriptorBudget.spare <= files)
    }
}
