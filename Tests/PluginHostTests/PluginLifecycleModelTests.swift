import JSONBytes
import Testing

@testable import PluginHost

/// A lifecycle under random changes, wishes and deaths, beside a model of the processes that it starts.
struct CourseModelTests {
    /// A generator that gives the same numbers for the same seed (G. L. Steele et al., "SplitMix64").
    struct Dice: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    /// The processes as they are, whatever the lifecycle believes.
    struct World {
        struct Process {
            var manifest: Manifest
            var isHeld: Bool
            var isReady = false
            var isDraining = false
            var asked: Manifest?
        }

        var lifecycle = PluginLifecycle(name: "p")
        var processes: [Int: Process] = [:]
        var isStoring = false
        var now: Int64 = 0
        var problems: [String] = []
        var told: [String] = []

        /// Takes the lifecycle's steps, and notes what must never be.
        mutating func step() {
            for step in lifecycle.steps(now: now) {
                told.append("\(now): \(step)")
                switch step {
                case .launch(let id, let manifest, let isHeld):
                    if isStoring { problems.append("launched while cursors are stored") }
                    processes[id] = Process(manifest: manifest, isHeld: isHeld)
                case .release(let id):
                    if processes[id] == nil { problems.append("released a process that is gone") }
                    processes[id]?.isHeld = false
                    processes[id]?.isReady = false
                case .drain(let id, _):
                    if processes[id]?.isDraining == true { problems.append("drained twice") }
                    processes[id]?.isDraining = true
                case .configure(let id, let manifest):
                    if processes[id]?.asked != nil { problems.append("asked twice") }
                    processes[id]?.asked = manifest
                case .rewind:
                    if !processes.isEmpty { problems.append("cursors stored beside a process") }
                    isStoring = true
                case .pause, .pauseQueues, .note: break
                }
            }
            if processes.values.count(where: { !$0.isHeld }) > 1 { problems.append("two at work") }
            if processes.count > 2 { problems.append("three processes") }
        }

        mutating func end(_ id: Int, _ end: RestartPolicy.End, random: Double) {
            processes[id] = nil
            _ = lifecycle.heardEnd(id, end, madeProgress: true, now: now, unixNow: now, random: random)
        }
    }

    private static func manifest(_ dice: inout Dice) -> Manifest {
        var manifest = Manifest(name: "p", file: "p.toml", command: [["a", "b"].randomElement(using: &dice) ?? "a"])
        manifest.config = .int(Int64.random(in: 0...2, using: &dice))
        manifest.isEnabled = Int.random(in: 0..<8, using: &dice) > 0
        return manifest
    }

    private static func happen(_ world: inout World, _ dice: inout Dice) {
        let id = world.processes.keys.sorted().randomElement(using: &dice)
        let process = id.flatMap { world.processes[$0] }
        switch Int.random(in: 0..<14, using: &dice) {
        case 0, 1: world.lifecycle.take(manifest(&dice))
        case 2: world.lifecycle.takeProblem("broken")
        case 3: world.lifecycle.takeRemoval()
        case 4: try? world.lifecycle.start()
        case 5: world.lifecycle.stop()
        case 6: try? world.lifecycle.restartNow()
        case 7: try? world.lifecycle.pause(Bool.random(using: &dice))
        case 8: world.lifecycle.askRewind()
        case 9, 10:
            guard let id, let process, !process.isReady, !process.isDraining else { return }
            world.processes[id]?.isReady = true
            world.lifecycle.heardReady(id, takesConfig: Bool.random(using: &dice))
        case 11:
            guard let id, let process else { return }
            let ends: [RestartPolicy.End] = [.crashed("c"), .failed("f"), .tryLater("t"), .diverged("d")]
            let end = process.isDraining ? .stopped : ends.randomElement(using: &dice) ?? .stopped
            world.end(id, end, random: Double.random(in: 0..<1, using: &dice))
        case 12:
            guard let id, process?.asked != nil else { return }
            let answers: [PluginLifecycle.Answer] = [.taken, .refused("no"), .silent]
            world.processes[id]?.asked = nil
            world.lifecycle.heardConfigured(id, answers.randomElement(using: &dice) ?? .taken)
        default:
            world.now += Int64.random(in: 0...5_000, using: &dice)
            if world.isStoring {
                world.isStoring = false
                world.lifecycle.heardRewound(problem: nil)
            }
        }
    }

    /// Lets everything come to rest: who is asked to go goes, who is started gets ready.
    private static func settle(_ world: inout World) {
        for _ in 0..<100 {
            world.now += 100_000
            if world.isStoring {
                world.isStoring = false
                world.lifecycle.heardRewound(problem: nil)
            }
            for (id, process) in world.processes.sorted(by: { $0.key < $1.key }) {
                if process.isDraining {
                    world.end(id, .stopped, random: 0)
                } else if process.asked != nil {
                    world.processes[id]?.asked = nil
                    world.lifecycle.heardConfigured(id, .taken)
                } else if !process.isReady {
                    world.processes[id]?.isReady = true
                    world.lifecycle.heardReady(id, takesConfig: true)
                }
            }
            world.step()
        }
    }

    @Test(arguments: UInt64(1)...200) func neverTwoAtWorkAndAtLastWhatIsWanted(seed: UInt64) throws {
        var dice = Dice(state: seed)
        var world = World()
        for _ in 0..<400 {
            Self.happen(&world, &dice)
            world.step()
        }
        var wanted = Self.manifest(&dice)
        wanted.isEnabled = true
        wanted.config = .string("at last")
        world.lifecycle.take(wanted)
        try world.lifecycle.start()
        world.step()
        Self.settle(&world)
        let problems = world.problems + (world.processes.count == 1 ? [] : ["\(world.processes.count) processes"])
        #expect(problems.isEmpty, "seed \(seed): \(world.told.suffix(12).joined(separator: "\n"))")
        #expect(world.lifecycle.manifest == wanted && world.lifecycle.current?.isReady == true, "seed \(seed)")
        world.lifecycle.end(why: "over")
        world.step()
        Self.settle(&world)
        #expect(world.lifecycle.isOver && world.processes.isEmpty, "seed \(seed)")
    }
}
